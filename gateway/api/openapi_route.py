"""``GET /openapi.json``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import orjson
from aiohttp import web

from gateway.api.endpoint import Subject


def described(subjects: Sequence[Subject]) -> web.RouteDef:
    @cache
    def document() -> bytes:
        from gateway.api.openapi import describe  # noqa: PLC0415 - only who asks for it pays for it

        return orjson.dumps(describe(subjects))

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    return web.get("/openapi.json", answer)
