"""The first page: what needs somebody, and where to go on."""

from __future__ import annotations

from aiohttp import web

from gateway.console.console import Console, caller


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def shown(request: web.Request) -> web.Response:
        letters = await desk.dead_letters.page(caller(request), cursor=None, limit=100)
        return console.page(request, "overview.html", letters=len(letters.items))

    return [web.get("/", shown)]
