"""The audit: who changed what."""

from __future__ import annotations

from aiohttp import web

from gateway.console.console import PAGE, Console, caller


def routes(console: Console) -> list[web.RouteDef]:
    async def shown(request: web.Request) -> web.Response:
        page = await console.administration.audit.page(
            caller(request), cursor=request.query.get("cursor"), limit=PAGE
        )
        return console.page(request, "audit.html", page=page)

    return [web.get("/audit", shown)]
