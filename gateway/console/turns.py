"""Turns: why a message was answered so, or not at all."""

from __future__ import annotations

import secrets

from aiohttp import web

from gateway.admin.errors import UnknownError
from gateway.admin.turns import TurnStory
from gateway.console.console import Console, caller

_LONGEST = 2000


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def shown(request: web.Request) -> web.Response:
        asked = request.query.get("q", "").strip()[:_LONGEST]
        stories: tuple[TurnStory, ...] = ()
        problem, status = "", 200
        if asked:
            try:
                stories = await desk.turns.explain(caller(request), _reference(asked))
            except UnknownError as error:
                problem, status = f"{str(error)[:1].upper()}{str(error)[1:]}", 404
        return console.page(
            request,
            "turns.html",
            status=status,
            asked=asked,
            stories=tuple(reversed(stories)),
            problem=problem,
            wish=secrets.token_urlsafe(12),
        )

    return [web.get("/turns", shown)]


def _reference(asked: str) -> str:
    """A reference may be copied with the words around it: (ref 1a2b3c4d)."""
    return asked.strip("()（）. ").removeprefix("ref ").removeprefix("编号").strip()
