"""The stores that a run can have, each with what can be done to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from tests.chaos.plan import StoreName
from tests.conversation.stores.servers import replica_of, sentinel_of, server

_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
_PRIMARY = "turnkeeper"


class ChaosStore(Protocol):
    """A server or a file that is there from the start."""

    @property
    def port(self) -> int | None:
        """Of the server that a replica's way to its store leads to; None where there is no such way."""
        ...

    def settings(self, port: int, folder: Path) -> dict[str, object]:
        """The configuration's section, for a replica that reaches the store at this port."""
        ...

    async def fail(self, seconds: float) -> None:
        """Kill the server, and start it again after so long; where it has a replica, that is in its place by then.
        A file has no server.
        """
        ...

    def remove(self) -> None: ...


class _Redis:
    def __init__(self) -> None:
        self._server = server(*_DURABLE)
        self.port = self._server.port

    def settings(self, port: int, folder: Path) -> dict[str, object]:
        return {"url": f"redis://127.0.0.1:{port}", "namespace": "chaos"}

    async def fail(self, seconds: float) -> None:
        self._server.kill()
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self._server.start)

    def remove(self) -> None:
        self._server.remove()


class _RedisWithSentinel:
    """The way to the primary is what Sentinel says, so no proxy stands in it."""

    port = None

    def __init__(self) -> None:
        self._primary = server(*_DURABLE)
        self._replica = replica_of(self._primary)
        self._sentinel = sentinel_of(self._primary, _PRIMARY)

    def settings(self, port: int, folder: Path) -> dict[str, object]:
        return {
            "url": f"redis+sentinel://127.0.0.1:{self._sentinel.port}/{_PRIMARY}",
            "namespace": "chaos",
            "durability": "replicated",
        }

    async def fail(self, seconds: float) -> None:
        """The lone Sentinel needs half a second to notice."""
        self._primary.kill()
        self._primary, self._replica = self._replica, self._primary
        try:
            await asyncio.sleep(max(seconds, 2.0))
        finally:
            await asyncio.to_thread(self._replica.start)

    def remove(self) -> None:
        for one in (self._sentinel, self._primary, self._replica):
            one.remove()


class _Sqlite:
    port = None

    def settings(self, port: int, folder: Path) -> dict[str, object]:
        return {"url": f"sqlite:///{folder / 'turnkeeper.db'}"}

    async def fail(self, seconds: float) -> None:
        pass

    def remove(self) -> None:
        pass


def make_store(name: StoreName) -> ChaosStore:
    match name:
        case "redis":
            return _Redis()
        case "redis+sentinel":
            return _RedisWithSentinel()
        case "sqlite":
            return _Sqlite()
