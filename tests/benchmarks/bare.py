"""The yardstick of an event's cost, as a process: aiohttp, verify the signature, parse the JSON, answer 200."""

from __future__ import annotations

import hmac
import time

import orjson
import uvloop
from aiohttp import web

from tests.benchmarks.processes import SIGNING_SECRET
from tests.benchmarks.serving import serve


async def receive(request: web.Request) -> web.Response:
    body = await request.read()
    timestamp = request.headers["X-Slack-Request-Timestamp"]
    expected = hmac.digest(SIGNING_SECRET.encode(), b"v0:%b:%b" % (timestamp.encode(), body), "sha256").hex()
    authentic = hmac.compare_digest(f"v0={expected}", request.headers["X-Slack-Signature"])
    if not authentic or abs(time.time() - int(timestamp)) > 300:
        return web.Response(status=401)
    event = orjson.loads(body)
    return web.Response(text=event["event_id"])


if __name__ == "__main__":
    app = web.Application()
    app.add_routes([web.post("/webhooks/{channel}/{bot}", receive)])
    uvloop.run(serve(app))
