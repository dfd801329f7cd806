"""Versioned documents, in SQLite."""

from __future__ import annotations

import sqlite3

from conversation.stores.records import Record, RecordConflictError
from conversation.stores.sqlite.writer import Writer


class SqliteRecords:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def get(self, kind: str, id: str) -> Record | None:
        def step(db: sqlite3.Connection) -> Record | None:
            return _record(db, kind, id)

        return await self._writer.run(step)

    async def all(self, kind: str) -> tuple[Record, ...]:
        def step(db: sqlite3.Connection) -> tuple[Record, ...]:
            rows = db.execute(
                "SELECT kind, id, document, version, revision FROM record WHERE kind = ? ORDER BY id", (kind,)
            )
            return tuple(Record(*row) for row in rows)

        return await self._writer.run(step)

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        def step(db: sqlite3.Connection) -> Record:
            _expect(db, kind, id, expected)
            record = Record(kind, id, document, expected + 1, _next_revision(db, kind))
            db.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)",
                (kind, id, document, record.version, record.revision),
            )
            return record

        return await self._writer.run(step)

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        def step(db: sqlite3.Connection) -> None:
            _expect(db, kind, id, expected)
            if db.execute("DELETE FROM record WHERE kind = ? AND id = ?", (kind, id)).rowcount:
                _next_revision(db, kind)

        await self._writer.run(step)

    async def revision(self, kind: str) -> int:
        def step(db: sqlite3.Connection) -> int:
            row = db.execute("SELECT value FROM counter WHERE name = ?", (f"records:{kind}",)).fetchone()
            return int(row[0]) if row else 0

        return await self._writer.run(step)


def _record(db: sqlite3.Connection, kind: str, id: str) -> Record | None:
    row = db.execute(
        "SELECT kind, id, document, version, revision FROM record WHERE kind = ? AND id = ?", (kind, id)
    ).fetchone()
    return Record(*row) if row else None


def _expect(db: sqlite3.Connection, kind: str, id: str, expected: int) -> None:
    record = _record(db, kind, id)
    if (record.version if record else 0) != expected:
        raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")


def _next_revision(db: sqlite3.Connection, kind: str) -> int:
    (revision,) = db.execute(
        "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        (f"records:{kind}",),
    ).fetchone()
    return int(revision)
