"""Versioned documents, in Redis."""

from __future__ import annotations

from typing import Any

from conversation.stores.records import Record, RecordConflictError
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House


class RedisRecords:
    """All in partition 0: they are few, and read seldom."""

    def __init__(self, batching: Batching, house: House) -> None:
        self._batching = batching
        self._home = house.partitions.home

    async def get(self, kind: str, id: str) -> Record | None:
        stored = await self._batching.run(self._home, "HGET", f"{self._home}:records:{kind}", id)
        return None if stored is None else _record(kind, id, stored)

    async def all(self, kind: str) -> tuple[Record, ...]:
        stored = await self._batching.run(self._home, "HGETALL", f"{self._home}:records:{kind}")
        return tuple(_record(kind, name.decode(), record) for name, record in sorted(stored.items()))

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        call = self._batching.call("put_record", self._home, kind, id, expected, document, durable=True)
        return Record(kind, id, document, expected + 1, _expected(await call, kind, id, expected))

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        call = self._batching.call("delete_record", self._home, kind, id, expected, durable=True)
        _expected(await call, kind, id, expected)

    async def revision(self, kind: str) -> int:
        counter = self._batching.run(self._home, "HGET", f"{self._home}:counters", f"records:{kind}")
        return int(await counter or 0)


def _record(kind: str, id: str, stored: bytes) -> Record:
    facts, _, document = stored.partition(b"\n")
    version, revision = map(int, facts.split(b" "))
    return Record(kind, id, document, version, revision)


def _expected(reply: Any, kind: str, id: str, expected: int) -> Any:  # as the function answered
    if reply == b"conflict":
        raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")
    return reply
