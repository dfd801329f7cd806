"""A plain bot made with Bolt, as a process: its model is a loop in the same process, and it posts the answer
and edits it at most once a second. ``--tokens 0``: it acknowledges and does nothing.

It runs on asyncio's own event loop, as Bolt's examples do, or with ``--uvloop`` on that.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.benchmarks.answer import answer_tokens
from tests.benchmarks.processes import SIGNING_SECRET
from tests.benchmarks.serving import serve

EDIT_EVERY = 1.0


class PlainBot:
    def __init__(self, tokens: int, interval: float) -> None:
        self._tokens = answer_tokens(tokens) if tokens else []
        self._interval = interval

    async def answer(self, event: dict[str, str], client: AsyncWebClient) -> None:
        loop = asyncio.get_running_loop()
        text, ts, shown_at = "", "", 0.0
        async for token in self._model():
            text += token
            if not ts:
                posted = await client.chat_postMessage(channel=event["channel"], text=text)
                ts, shown_at = str(posted["ts"]), loop.time()
            elif loop.time() - shown_at >= EDIT_EVERY:
                await client.chat_update(channel=event["channel"], ts=ts, text=text)
                shown_at = loop.time()
        if ts:
            await client.chat_update(channel=event["channel"], ts=ts, text=text)

    async def _model(self) -> AsyncIterator[str]:
        for token in self._tokens:
            await asyncio.sleep(self._interval)
            yield token


async def main(arguments: argparse.Namespace) -> None:
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    client = AsyncWebClient(token="xoxb-bolt", base_url=f"{arguments.slack}/api/", session=session)
    client.proxy = None
    bolt = AsyncApp(signing_secret=SIGNING_SECRET, client=client)
    bolt.event("message")(PlainBot(arguments.tokens, arguments.interval).answer)

    async def receive(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await bolt.async_dispatch(await to_bolt_request(request)))

    app = web.Application()
    app.add_routes([web.post("/webhooks/{channel}/{bot}", receive)])
    await serve(app)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--slack", required=True)
    parser.add_argument("--tokens", type=int, default=0)
    parser.add_argument("--interval", type=float, default=0.02)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    (uvloop.run if arguments.uvloop else asyncio.run)(main(arguments))
