"""The port to versioned documents: bots, agents and what else is administered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class RecordConflictError(Exception):
    """The record is not at the version that the caller expected."""


@dataclass(frozen=True, slots=True)
class Record:
    """``version`` counts the changes of this record from 1. ``revision`` orders all changes of its kind."""

    kind: str
    id: str
    document: bytes
    version: int
    revision: int


class Records(Protocol):
    async def get(self, kind: str, id: str) -> Record | None: ...

    async def all(self, kind: str) -> tuple[Record, ...]:
        """Every record of a kind, in the order of ids."""
        ...

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        """Replace the record at version ``expected`` (0: it must not exist). Raises RecordConflictError."""
        ...

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        """Raises RecordConflictError."""
        ...

    async def revision(self, kind: str) -> int:
        """Rises with every change of a kind, deletions too: who polls it notices all changes."""
        ...
