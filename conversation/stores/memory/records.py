"""Versioned documents, in memory."""

from __future__ import annotations

from collections import Counter

from conversation.stores.records import Record, RecordConflictError


class MemoryRecords:
    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._revisions = Counter[str]()

    async def get(self, kind: str, id: str) -> Record | None:
        return self._records.get((kind, id))

    async def all(self, kind: str) -> tuple[Record, ...]:
        return tuple(record for (of, _), record in sorted(self._records.items()) if of == kind)

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        self._expect(kind, id, expected)
        self._revisions[kind] += 1
        record = Record(kind, id, document, expected + 1, self._revisions[kind])
        self._records[kind, id] = record
        return record

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        self._expect(kind, id, expected)
        if self._records.pop((kind, id), None) is not None:
            self._revisions[kind] += 1

    async def revision(self, kind: str) -> int:
        return self._revisions[kind]

    def _expect(self, kind: str, id: str, expected: int) -> None:
        record = self._records.get((kind, id))
        if (record.version if record else 0) != expected:
            raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")
