"""Server-sent events, to readers of any speed and for as long as their token is good.

Invariants:

- what a reader does not take is not made either: of a slow one the connection's buffers are all that is held, and one
  that takes nothing for PATIENCE is let go;
- a stream ends within CHECK_EVERY seconds of its token's end, and at once when the process ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import structlog
from aiohttp import web

from conversation.stores.port import StoreUnavailableError
from gateway.api.endpoint import Sent
from gateway.api.problems import RETRY_AFTER, ProblemError

CHECK_EVERY = 1.0
PATIENCE = 30.0
FIRST_WITHIN = 0.5
"""Seconds in which what stands in the way may still become a problem document."""

MOST = 100
"""Streams of one process."""

_log = structlog.get_logger()

Allowed = Callable[[], Awaitable[bool]]
Events = AsyncIterator[Sent | None]


class Streams:
    """Those that are open in this process."""

    def __init__(self) -> None:
        self._open = 0
        self._closing = asyncio.Event()

    async def send(self, request: web.Request, events: Events, allowed: Allowed) -> web.StreamResponse:
        """Until the events end, the reader goes, or ``allowed`` says no. Raises ProblemError (503) if too many are
        open, and what was raised in place of the first event.
        """
        if self._open >= MOST:
            raise ProblemError(
                503, f"{MOST} streams are open already; close one", {"Retry-After": str(RETRY_AFTER)}
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        self._open += 1
        sending = asyncio.create_task(_send(request, response, events), name="event stream")
        over = asyncio.create_task(self._over(allowed), name="event stream's end")
        try:
            await asyncio.wait((sending, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= 1
            for task in (sending, over):
                task.cancel()
            ends = await asyncio.gather(sending, over, return_exceptions=True)
        if not response.prepared:
            _raise(ends[0])
        await _end(request, response)
        return response

    async def close(self) -> None:
        """End them all; those that are opened later end at once."""
        self._closing.set()

    async def _over(self, allowed: Allowed) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(CHECK_EVERY):
                    await self._closing.wait()
            except TimeoutError:
                if not await _is_allowed(allowed):
                    return


async def _is_allowed(allowed: Allowed) -> bool:
    """While the store is away nobody can be told from a revoked one, and nothing is told anyway."""
    try:
        return await allowed()
    except StoreUnavailableError:
        return True


async def _send(request: web.Request, response: web.StreamResponse, events: Events) -> None:
    first = asyncio.ensure_future(anext(events))
    try:
        await asyncio.wait((first,), timeout=FIRST_WITHIN)
        if first.done() and not isinstance(first.exception(), StopAsyncIteration):
            first.result()
        await response.prepare(request)
        await _write(response, b": here is what happens\n\n")
        await _write(response, _written(await first))
        async for one in events:
            await _write(response, _written(one))
    except StopAsyncIteration:
        pass
    except (ConnectionResetError, StoreUnavailableError, TimeoutError) as error:
        if not response.prepared:
            raise
        _log.info("event stream ended", cause=str(error) or type(error).__name__)
    finally:
        first.cancel()
        if isinstance(events, AsyncGenerator):
            await events.aclose()


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        await response.write(data)


def _written(one: Sent | None) -> bytes:
    if one is None:
        return b": nothing new\n\n"
    name = f"id: {one.id}\n" if one.id else ""
    return f"{name}data: {one.data.model_dump_json()}\n\n".encode()


async def _end(request: web.Request, response: web.StreamResponse) -> None:
    """Aiohttp itself would wait for whoever takes nothing."""
    try:
        async with asyncio.timeout(CHECK_EVERY):
            await response.write_eof()
    except (TimeoutError, ConnectionResetError):
        if request.transport is not None:
            request.transport.abort()


def _raise(end: object) -> None:
    if isinstance(end, Exception):
        raise end
