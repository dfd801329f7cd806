"""What happened, in Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Literal, cast

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.events import Event, EventKind, from_their_first
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House

_DIGIT = 40
"""Bits of a position for each partition: a million events a second for twelve days."""

_CHUNK = 1000
"""Events that are read at once where a stream is looked through."""


class RedisEvents:
    """Each partition numbers its own events, so a position holds one number for each partition: in the order in
    which partitions were first used, 40 bits each. It rises with every event, as ever; with one partition in use it
    is that partition's number. Of several partitions the events are merged by their time.
    """

    def __init__(self, batching: Batching, house: House, clock: Clock | None) -> None:
        self._clock = clock
        self._batching = batching
        self._house = house

    async def note(
        self, kind: Literal["turn.feedback"], key: ConversationKey, turn_id: str, detail: str
    ) -> bool:
        tag = self._house.partitions.tag(await self._house.partition_for(key.bot))
        now = repr(self._clock.now()) if self._clock else ""
        return bool(
            await self._batching.call("note", tag, now, kind, str(key), turn_id, detail, durable=True)
        )

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
            (float(fields[b"at"]), place, _number(entry), fields)
            for place, stream in enumerate(streams)
            for entry, fields in stream
        ]
        events = []
        for at, place, number, fields in sorted(found, key=lambda event: event[:3])[:limit]:
            position += (number - seen[place]) << (_DIGIT * place)
            seen[place] = number
            events.append(_event(position, at, fields))
        return tuple(events)

    async def end(self) -> int:
        await self._house.refresh()
        partitions = self._house.partitions
        newest = await asyncio.gather(
            *(
                self._batching.run(tag, "XREVRANGE", f"{tag}:events", "+", "-", "COUNT", 1)
                for tag in map(partitions.tag, partitions.used)
            )
        )
        return sum(_number(found[0][0]) << (_DIGIT * place) for place, found in enumerate(newest) if found)

    async def of_turn(self, id: str) -> tuple[Event, ...]:
        await self._house.refresh()
        wanted = id.encode()
        found = await asyncio.gather(
            *(
                self._looked_through(partition, lambda fields: fields[b"turn"].startswith(wanted))
                for partition in self._house.partitions.used
            )
        )
        return from_their_first(sorted(itertools.chain(*found), key=lambda event: event.at))

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        partition, wanted = self._house.partitions.of(key.bot), str(key).encode()
        if partition not in self._house.partitions.used:
            return ()
        found = await self._looked_through(partition, lambda fields: fields[b"key"] == wanted, limit)
        return tuple(found)

    async def _looked_through(
        self, partition: int, wanted: Callable[[dict[bytes, bytes]], bool], limit: int | None = None
    ) -> list[Event]:
        """The newest that are wanted, oldest first. It looks through a stream from its end: rare, and bounded."""
        tag, place = (
            self._house.partitions.tag(partition),
            self._house.partitions.used.index(partition),
        )
        found: list[Event] = []
        last = "+"
        while limit is None or len(found) < limit:
            chunk = await self._batching.run(tag, "XREVRANGE", f"{tag}:events", last, "-", "COUNT", _CHUNK)
            for entry, fields in chunk:
                if wanted(fields):
                    found.append(_event(_number(entry) << (_DIGIT * place), float(fields[b"at"]), fields))
            if len(chunk) < _CHUNK:
                break
            last = f"(0-{_number(chunk[-1][0])}"
        return found[:limit][::-1]


def _number(entry: bytes) -> int:
    return int(entry.partition(b"-")[2])


def _event(position: int, at: float, fields: dict[bytes, bytes]) -> Event:
    return Event(
        position,
        at,
        cast(EventKind, fields[b"kind"].decode()),  # or one of a later version's, beside this one
        ConversationKey.parse(fields[b"key"].decode()),
        fields[b"turn"].decode(),
        fields[b"detail"].decode(),
    )
