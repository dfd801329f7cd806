"""Live: conversations as they run, each a lane with its queue and the reply as it grows."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.live import Lane
from gateway.console.console import Console, caller


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def shown(request: web.Request) -> web.Response:
        who, bot = caller(request), request.query.get("bot") or None
        lanes = await desk.live.snapshot(who, bot=bot)
        return console.page(request, "live.html", bots=await desk.bots.list(who), bot=bot, lanes=lanes)

    async def followed(request: web.Request) -> web.StreamResponse:
        who, bot = caller(request), request.query.get("bot") or None
        return await console.stream(request, "lanes.html", desk.live.watch(who, bot=bot), _values)

    return [web.get("/live", shown), web.get("/live/now", followed)]


def _values(lanes: tuple[Lane, ...]) -> dict[str, object]:
    return {"lanes": lanes}
