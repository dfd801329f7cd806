"""Transcripts, events and records in Redis."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import orjson

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.events import Event, EventKind
from conversation.stores.records import Record, RecordConflictError
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House

_DIGIT = 40
"""Bits of a position for each partition: a million events a second for twelve days."""

_KINDS: dict[bytes, EventKind] = {kind.encode(): kind for kind in get_args(EventKind)}


class RedisTranscripts:
    def __init__(self, batching: Batching, house: House) -> None:
        self._batching = batching
        self._partitions = house.partitions

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        tag = self._partitions.tag(self._partitions.of(key.bot))
        entries: list[Entry] = []
        for said in await self._batching.run(tag, "LRANGE", f"{tag}:said:{key}", -turns, -1):
            question, answer = orjson.loads(said)
            entries += (Entry("user", question), Entry("assistant", answer))
        return tuple(entries)


class RedisEvents:
    """Each partition numbers its own events, so a position holds one number for each partition: in the order in
    which partitions were first used, 40 bits each. It rises with every event, as ever; with one partition in use it
    is that partition's number. Of several partitions the events are merged by their time.
    """

    def __init__(self, batching: Batching, house: House) -> None:
        self._batching = batching
        self._house = house

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        await self._house.refresh()
        partitions = self._house.partitions
        seen = [position >> (_DIGIT * place) & ((1 << _DIGIT) - 1) for place in range(len(partitions.used))]
        streams = await asyncio.gather(
            *(
                self._batching.run(tag, "XRANGE", f"{tag}:events", f"(0-{number}", "+", "COUNT", limit)
                for tag, number in zip(map(partitions.tag, partitions.used), seen, strict=True)
            )
        )
        found = [
            (float(fields[b"at"]), place, int(entry.partition(b"-")[2]), fields)
            for place, stream in enumerate(streams)
            for entry, fields in stream
        ]
        events = []
        for at, place, number, fields in sorted(found, key=lambda event: event[:3])[:limit]:
            position += (number - seen[place]) << (_DIGIT * place)
            seen[place] = number
            events.append(_event(position, at, fields))
        return tuple(events)


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

    async def revision(self) -> int:
        return int(await self._batching.run(self._home, "HGET", f"{self._home}:counters", "records") or 0)


def _event(position: int, at: float, fields: dict[bytes, bytes]) -> Event:
    return Event(
        position,
        at,
        _KINDS[fields[b"kind"]],
        ConversationKey.parse(fields[b"key"].decode()),
        fields[b"turn"].decode(),
        fields[b"detail"].decode(),
    )


def _record(kind: str, id: str, stored: bytes) -> Record:
    facts, _, document = stored.partition(b"\n")
    version, revision = map(int, facts.split(b" "))
    return Record(kind, id, document, version, revision)


def _expected(reply: Any, kind: str, id: str, expected: int) -> Any:  # as the function answered
    if reply == b"conflict":
        raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")
    return reply
