"""Being told at once that a conversation became ready, or a turn was stopped, by whatever process made it so.

A courtesy: everybody also looks once a second, so a message that is lost here costs a second and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError  # noqa: A004 - the driver's own, which is not Python's

from conversation.stores.redis.connection import Connection
from conversation.stores.redis.errors import FAILURES

GAP = 0.05
"""Seconds between two wake-ups at least, however many conversations become ready."""

SILENCE = 10.0
"""Seconds without a message after which the server is asked whether it is still there."""

PAUSE = 1.0
"""Seconds until listening is tried again."""


class Wakeups:
    """Listens to the partitions of these tags."""

    def __init__(self, connection: Connection, tags: Sequence[str]) -> None:
        self._connection = connection
        self._tags = tags
        self._called_at = 0.0
        self._call: asyncio.TimerHandle | None = None

    async def run(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:
        """Call ``wake`` when conversations became ready and ``stop`` when turns were stopped, until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.TaskGroup() as listening:
                        for subscriber, tags in await self._connection.subscribers(self._tags):
                            listening.create_task(self._listen(subscriber, tags, wake, stop), name="wake-ups")
                except* FAILURES:
                    await asyncio.sleep(PAUSE)
        finally:
            if self._call is not None:
                self._call.cancel()

    async def _listen(
        self, subscriber: PubSub, tags: Sequence[str], wake: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        async with subscriber:
            for tag in tags:  # one by one: a cluster takes only channels of one slot in one command
                await subscriber.ssubscribe(f"{tag}:wake")
            self._soon(wake)  # for what happened before this
            asked = False
            while True:
                _heed_cancellation()
                told = await subscriber.get_message(timeout=SILENCE)
                if told is None:
                    if asked:
                        raise ConnectionError("the server is silent")
                    await subscriber.ping()
                asked = told is None
                if told is not None and told["type"] == "smessage":
                    if told["data"] == b"stop":
                        stop()
                    else:
                        self._soon(wake)
                elif told is not None and told["type"] == "sunsubscribe":
                    raise ConnectionError("the partition is at another node now")

    def _soon(self, wake: Callable[[], None]) -> None:
        if self._call is None:
            loop = asyncio.get_running_loop()
            self._call = loop.call_at(max(loop.time(), self._called_at + GAP), self._now, wake)

    def _now(self, wake: Callable[[], None]) -> None:
        self._call = None
        self._called_at = asyncio.get_running_loop().time()
        wake()


def _heed_cancellation() -> None:
    """The driver writes by ``asyncio.wait_for``, which until Python 3.12 forgets a cancellation that comes in the
    same moment as its answer (python/cpython#86296): whoever listens would then listen forever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
