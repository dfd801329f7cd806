"""Server-sent events: pieces of a page, sent again whenever they changed.

Invariants:

- a stream ends when its reader goes, when the process stops, and when its session ended;
- it holds one piece at most, and there are at most MOST: who reads slowly gets the newest, not a backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog
from aiohttp import web

from conversation.stores.port import StoreUnavailableError
from gateway.admin.errors import AdminError

KEEP_ALIVE = 10.0
"""Seconds of silence after which a comment is sent; then too the session is looked at again."""

MOST = 500
"""Streams that may be open in one process; one more is refused, and its page asks again."""

_log = structlog.get_logger()


class Streams:
    """Those that are open in this process. ``end`` is for the application's ``on_shutdown``."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[object]] = set()

    async def end(self, _: web.Application) -> None:
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=1.0)

    async def send(
        self,
        request: web.Request,
        pieces: AsyncGenerator[str, None],
        still_allowed: Callable[[], Awaitable[bool]],
    ) -> web.StreamResponse:
        """Each piece that differs from the one before as an event, and an event ``end`` behind the last."""
        if len(self._open) >= MOST:
            await pieces.aclose()
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        me = asyncio.current_task()
        assert me is not None
        self._open.add(me)
        try:
            await _write(response, pieces, still_allowed)
        except ConnectionResetError:
            _log.debug("the reader of a stream is gone")
        except (AdminError, StoreUnavailableError) as error:
            # The page has begun: it cannot be told any more. It asks again by itself, and hears of it then.
            _log.info("a stream of the console ended", cause=type(error).__name__)
        finally:
            self._open.discard(me)
        return response


async def _write(
    response: web.StreamResponse,
    pieces: AsyncGenerator[str, None],
    still_allowed: Callable[[], Awaitable[bool]],
) -> None:
    loop = asyncio.get_running_loop()
    last, looked_at = None, loop.time()
    await response.write(b"retry: 2000\n\n")
    async with contextlib.aclosing(_with_silence(pieces)) as timed:
        async for piece in timed:
            if loop.time() - looked_at >= KEEP_ALIVE:
                looked_at = loop.time()
                if not await still_allowed():
                    break
                await response.write(b": alive\n\n")
            if piece not in (None, last):
                last = piece
                await response.write(_event(last or ""))
    await response.write(b"event: end\ndata:\n\n")


async def _with_silence(pieces: AsyncGenerator[str, None]) -> AsyncGenerator[str | None, None]:
    """The pieces, and None after each KEEP_ALIVE without one."""
    waiting: asyncio.Task[str] | None = None
    async with contextlib.aclosing(pieces):
        try:
            while True:
                waiting = waiting or asyncio.create_task(_next(pieces), name="next piece")
                done, _ = await asyncio.wait({waiting}, timeout=KEEP_ALIVE)
                if not done:
                    yield None
                    continue
                task, waiting = waiting, None
                try:
                    yield task.result()
                except StopAsyncIteration:
                    return
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)


async def _next(pieces: AsyncGenerator[str, None]) -> str:
    return await anext(pieces)


def _event(piece: str) -> bytes:
    lines = piece.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return ("".join(f"data: {line}\n" for line in lines) + "\n").encode()
