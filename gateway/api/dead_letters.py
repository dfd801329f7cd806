"""``/api/v1/dead-letters``."""

from __future__ import annotations

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from gateway.dead_letters import DeadLetters, Summary

_log = structlog.get_logger()


class Listed(BaseModel):
    model_config = ConfigDict(frozen=True)

    items: tuple[Summary, ...]


def routes(letters: DeadLetters) -> list[web.RouteDef]:
    async def listed(_: web.Request) -> web.Response:
        return _json(Listed(items=await letters.all()))

    async def shown(request: web.Request) -> web.Response:
        return _json(await letters.show(request.match_info["id"]))

    async def retried(request: web.Request) -> web.Response:
        done = await letters.retry(request.match_info["id"])
        _log.info("dead letter retried", letter=done.id, turn=done.turn)
        return _json(done)

    async def dropped(request: web.Request) -> web.Response:
        await letters.drop(request.match_info["id"])
        _log.info("dead letter dropped", letter=request.match_info["id"])
        return web.Response(status=204)

    return [
        web.get("/dead-letters", listed),
        web.get("/dead-letters/{id}", shown),
        web.post("/dead-letters/{id}/retry", retried),
        web.delete("/dead-letters/{id}", dropped),
    ]


def _json(model: BaseModel) -> web.Response:
    return web.Response(
        body=model.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
