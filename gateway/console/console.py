"""What the pages are made with, and what they share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

from aiohttp import web

from gateway.admin.access import Permission, Principal
from gateway.admin.administration import Administration
from gateway.admin.errors import NotAllowedError
from gateway.admin.paging import USUAL_PAGE
from gateway.console.door import Door
from gateway.console.pages import WHO, Pages
from gateway.console.preferences import preferences
from gateway.console.sessions import Sessions
from gateway.console.streams import Streams
from gateway.console.texts import Say

T = TypeVar("T")

PAGE = USUAL_PAGE


@dataclass(frozen=True, slots=True)
class Console:
    administration: Administration
    sessions: Sessions
    door: Door
    pages: Pages
    streams: Streams

    def page(
        self, request: web.Request, template: str, *, status: int = 200, **values: object
    ) -> web.Response:
        return self.pages.page(request, template, status=status, **values)

    def wants_progress(self, request: web.Request) -> bool:
        """Whether a script asks, which shows an answer as it grows."""
        return "text/event-stream" in request.headers.get("Accept", "")

    async def stream(
        self,
        request: web.Request,
        template: str,
        found: AsyncGenerator[T, None],
        values: Callable[[T], dict[str, object]],
    ) -> web.StreamResponse:
        """What ``found`` yields, each rendered as a piece of a page."""

        async def pieces() -> AsyncGenerator[str, None]:
            async with aclosing(found):
                async for one in found:
                    yield self.pages.piece(request, template, **values(one))

        return await self.streams.send(request, pieces(), lambda: self.door.still_in(request))


def caller(request: web.Request) -> Principal:
    return request[WHO]


def say(request: web.Request) -> Say:
    return Say(preferences(request).language)


def check(request: web.Request, permission: Permission, bot: str | None = None) -> Principal:
    """Who asks. Raises NotAllowedError before a form is shown that could not be sent."""
    who = caller(request)
    who.check(permission, bot)
    return who


def may(request: web.Request, permission: Permission, bot: str | None = None) -> bool:
    try:
        check(request, permission, bot)
    except NotAllowedError:
        return False
    return True


def go(path: str, *, done: str = "", **query: str) -> web.Response:
    """To another page after something was done, so that loading it again does not do it again."""
    asked = {**query, **({"done": done} if done else {})}
    location = path + (f"?{urlencode(asked)}" if asked else "")
    return web.Response(status=303, headers={"Location": location})


def step(id: str) -> str:
    """An id as one step of a path."""
    return quote(id, safe="")
