"""Commands of one turn of the event loop share a pipeline.

Invariants:

- a command is answered by itself: what one is refused for does not touch its neighbours;
- at most ``PIPELINES`` are on their way at once; what arrives meanwhile waits, bounded, and leaves together;
- a command is never sent twice, unless the server said that it did not run it;
- a ``durable`` command is answered only after a replica has it, if that was asked for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.connection import Connection
from conversation.stores.redis.errors import FAILURES, function_missing, unavailable
from conversation.stores.redis.library import Library

BATCH = 256
"""Commands that share a pipeline at most."""

PIPELINES = 4
"""Pipelines on their way at once; measured: fewer wait for each other, more are smaller and cost more."""

WAITING = 20_000
"""Commands that may wait for a pipeline; one more is refused, so that memory is bounded."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    command: tuple[str | bytes | int, ...]
    durable: bool
    answer: asyncio.Future[Any]


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

    async def call(
        self, function: str, tag: str, *args: str | bytes | int, durable: bool = False
    ) -> Any:  # each function answers in a shape of its own
        """The function's answer. Raises StoreUnavailableError."""
        return await self.run("FCALL", self._name(function), 1, tag, *args, durable=durable)

    async def run(self, *command: str | bytes | int, durable: bool = False) -> Any:
        """A command's answer. Raises StoreUnavailableError."""
        if self._closed:
            raise StoreUnavailableError("the store is closed")
        if len(self._waiting) >= WAITING:
            raise StoreUnavailableError("Redis is too slow for what arrives")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(_Waiting(command, durable, answer))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._leave)
        return await answer

    async def close(self) -> None:
        """Let what was submitted be answered."""
        self._closed = True
        while self._waiting or self._under_way:
            if self._under_way:
                await asyncio.wait(self._under_way)
            else:
                await asyncio.sleep(0)

    def _name(self, function: str) -> str:
        name = self._functions.get(function)
        if name is None:
            name = self._functions[function] = self._library.function(function)
        return name

    def _leave(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._under_way) < PIPELINES:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            task = asyncio.create_task(self._send(batch), name="redis pipeline")
            self._under_way.add(task)
            task.add_done_callback(self._returned)

    def _returned(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.result()
        if self._waiting and not self._scheduled:
            self._leave()

    async def _send(self, batch: list[_Waiting]) -> None:
        try:
            replies = await self._replies(batch)
        except FAILURES as error:
            replies = [error] * len(batch)
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.answer.cancel()
            raise
        for waiting, reply in zip(batch, replies, strict=True):
            if waiting.answer.done():  # its caller was cancelled; the command happened all the same
                continue
            if isinstance(reply, StoreUnavailableError):
                waiting.answer.set_exception(reply)
            elif isinstance(reply, FAILURES):
                waiting.answer.set_exception(unavailable(reply))
            else:
                waiting.answer.set_result(reply)

    async def _replies(self, batch: list[_Waiting]) -> list[Any]:
        commands = [(waiting.command, waiting.durable) for waiting in batch]
        replies = await self._connection.send(commands)
        missing = [number for number, reply in enumerate(replies) if function_missing(reply)]
        if missing:  # a server that forgot its functions, or a primary that is new
            await self._connection.load(self._library)
            again = await self._connection.send([commands[number] for number in missing])
            for number, reply in zip(missing, again, strict=True):
                replies[number] = reply
        return replies
