"""The ``memory:`` store: the reference model with its side ports. It promises nothing across a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.events import Event
from conversation.stores.records import Record, RecordConflictError
from conversation.stores.reference import ReferenceTurns


class MemoryTranscripts:
    def __init__(self, turns: ReferenceTurns) -> None:
        self._said = turns.said

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return tuple(entry for turn in self._said.get(key, [])[-turns:] for entry in turn)


class MemoryEvents:
    def __init__(self, turns: ReferenceTurns) -> None:
        self._happened = turns.happened

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        return tuple(event for event in self._happened if event.position > position)[:limit]


class MemoryRecords:
    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._revision = 0

    async def get(self, kind: str, id: str) -> Record | None:
        return self._records.get((kind, id))

    async def all(self, kind: str) -> tuple[Record, ...]:
        return tuple(record for (of, _), record in sorted(self._records.items()) if of == kind)

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        self._expect(kind, id, expected)
        self._revision += 1
        record = Record(kind, id, document, expected + 1, self._revision)
        self._records[kind, id] = record
        return record

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        self._expect(kind, id, expected)
        if self._records.pop((kind, id), None) is not None:
            self._revision += 1

    async def revision(self) -> int:
        return self._revision

    def _expect(self, kind: str, id: str, expected: int) -> None:
        record = self._records.get((kind, id))
        if (record.version if record else 0) != expected:
            raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")


class MemoryStore:
    """Everything in this process, gone with it."""

    exclusive: bool = True
    permits = None

    def __init__(self, clock: Clock) -> None:
        self.turns = ReferenceTurns(clock)
        self.transcripts = MemoryTranscripts(self.turns)
        self.events = MemoryEvents(self.turns)
        self.records = MemoryRecords()

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:  # noqa: ARG002 - the port's signature
        """Nobody else has this store open."""
        await asyncio.Event().wait()
