"""Dead letters: messages that nobody could answer."""

from __future__ import annotations

from aiohttp import web

from gateway.console.console import PAGE, Console, caller, go


def routes(console: Console) -> list[web.RouteDef]:
    letters = console.administration.dead_letters

    async def listed(request: web.Request) -> web.Response:
        page = await letters.page(caller(request), cursor=request.query.get("cursor"), limit=PAGE)
        return console.page(request, "letters.html", page=page)

    async def shown(request: web.Request) -> web.Response:
        letter = await letters.show(caller(request), request.match_info["id"])
        return console.page(request, "letter.html", letter=letter)

    async def retried(request: web.Request) -> web.Response:
        done = await letters.retry(caller(request), request.match_info["id"])
        return go("/console/turns", done="letter_retried", q=done.turn)

    async def dropped(request: web.Request) -> web.Response:
        await letters.drop(caller(request), request.match_info["id"])
        return go("/console/dead-letters", done="letter_dropped")

    return [
        web.get("/dead-letters", listed),
        web.get("/dead-letters/{id}", shown),
        web.post("/dead-letters/{id}/retry", retried),
        web.post("/dead-letters/{id}/drop", dropped),
    ]
