"""The HTTP side: every route, in one list."""

from __future__ import annotations

from aiohttp import web

from conversation.directory import Directory
from gateway.webhooks import LARGEST_BODY, Webhooks


def make_app(webhooks: Webhooks, directory: Directory) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(_: web.Request) -> web.Response:
        if directory.accepting:
            return web.Response(text="ready")
        return web.Response(status=503, text="starting or draining")

    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes(
        [
            web.post("/webhooks/{channel}/{bot}", webhooks.handle),
            web.get("/livez", live),
            web.get("/readyz", ready),
        ]
    )
    return app
