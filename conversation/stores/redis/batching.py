"""Commands of one turn of the event loop share a pipeline.

Invariants:

- a command is answered by itself: what one is refused for does not touch its neighbours;
- at most ``PIPELINES`` are on their way at once; what arrives meanwhile waits, bounded, and leaves together;
- a command is never sent twice, unless the server said that it did not run it;
- who waits for no replica does not travel with those who do.
"""

from __future__ import annotations

import asyncio
from typing import Any

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.connection import Argument, Command, Connection
from conversation.stores.redis.errors import FAILURES, function_missing, unavailable
from conversation.stores.redis.library import Library

BATCH = 64
"""Commands that share a pipeline at most; measured: larger ones save nothing more, and answer later."""

PIPELINES = 8
"""Pipelines on their way at once."""

WAITING = 20_000
"""Commands that may wait for a pipeline; one more is refused, so that memory is bounded."""

_Waiting = tuple[Command, "asyncio.Future[Any]"]  # Any: each command has a reply of its own shape


class Batching:
    """Sends commands and function calls over a connection."""

    def __init__(self, connection: Connection, library: Library) -> None:
        self._connection = connection
        self._library = library
        self._functions: dict[str, str] = {}
        self._waiting: list[_Waiting] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._closed = False

    def call(self, function: str, tag: str, *args: Argument, durable: bool = False) -> asyncio.Future[Any]:
        """The function's answer. Raises StoreUnavailableError."""
        name = self._functions.get(function)
        if name is None:
            name = self._functions[function] = self._library.function(function)
        return self.run(tag, "FCALL", name, 1, tag, *args, durable=durable)

    def run(self, tag: str, *words: Argument, durable: bool = False) -> asyncio.Future[Any]:
        """The reply to a command on keys of one tag. Raises StoreUnavailableError."""
        if self._closed:
            raise StoreUnavailableError("the store is closed")
        if len(self._waiting) >= WAITING:
            raise StoreUnavailableError("Redis is too slow for what arrives")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((Command(tag, words, durable), answer))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._leave)
        return answer

    async def close(self) -> None:
        """Let what was submitted be answered."""
        self._closed = True
        self._leave()
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _leave(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._under_way) < PIPELINES:
            batch = self._next_batch()
            task = asyncio.create_task(self._send(batch), name="redis pipeline")
            self._under_way.add(task)
            task.add_done_callback(self._returned)

    def _next_batch(self) -> list[_Waiting]:
        durable = self._waiting[0][0].durable
        batch: list[_Waiting] = []
        rest: list[_Waiting] = []
        for number, waiting in enumerate(self._waiting):
            if len(batch) == BATCH:
                rest += self._waiting[number:]
                break
            (batch if waiting[0].durable == durable else rest).append(waiting)
        self._waiting = rest
        return batch

    def _returned(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not self._scheduled:
            self._leave()

    async def _send(self, batch: list[_Waiting]) -> None:
        try:
            replies = await self._replies([command for command, _ in batch])
        except Exception as error:  # noqa: BLE001 - the boundary: every caller gets it as its outcome
            replies = [error] * len(batch)
        for (_, answer), reply in zip(batch, replies, strict=True):
            if answer.done():  # its caller was cancelled; the command happened all the same
                continue
            if isinstance(reply, FAILURES):
                answer.set_exception(unavailable(reply))
            elif isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    async def _replies(self, commands: list[Command]) -> list[Any]:
        replies = await self._connection.send(commands)
        missing = [number for number, reply in enumerate(replies) if function_missing(reply)]
        if missing:  # the server forgot its functions, or is new
            await self._connection.load(self._library)
            again = await self._connection.send([commands[number] for number in missing])
            for number, reply in zip(missing, again, strict=True):
                replies[number] = reply
        return replies
