"""Transcripts, events and records in SQLite."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.events import Event
from conversation.stores.records import Record, RecordConflictError
from conversation.stores.sqlite.writer import Writer


class SqliteTranscripts:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        def step(db: sqlite3.Connection) -> tuple[Entry, ...]:
            rows = db.execute(
                "SELECT question, answer FROM said"
                " WHERE conversation = (SELECT id FROM conversation WHERE key = ?)"
                " ORDER BY seq DESC LIMIT ?",
                (str(key), turns),
            ).fetchall()
            entries: list[Entry] = []
            for question, answer in reversed(rows):
                entries += (Entry("user", question), Entry("assistant", answer))
            return tuple(entries)

        return await self._writer.run(step)


class SqliteEvents:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        def step(db: sqlite3.Connection) -> tuple[Event, ...]:
            rows = db.execute(
                "SELECT position, at, kind, key, turn, detail FROM event"
                " JOIN conversation ON conversation.id = event.conversation"
                " WHERE position > ? ORDER BY position LIMIT ?",
                (position, limit),
            )
            return tuple(
                Event(position, at, kind, ConversationKey.parse(key), turn, detail)
                for position, at, kind, key, turn, detail in rows
            )

        return await self._writer.run(step)


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
            record = Record(kind, id, document, expected + 1, _next_revision(db))
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
                _next_revision(db)

        await self._writer.run(step)

    async def revision(self) -> int:
        def step(db: sqlite3.Connection) -> int:
            (revision,) = db.execute("SELECT value FROM counter WHERE name = 'record_revision'").fetchone()
            return int(revision)

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


def _next_revision(db: sqlite3.Connection) -> int:
    (revision,) = db.execute(
        "UPDATE counter SET value = value + 1 WHERE name = 'record_revision' RETURNING value"
    ).fetchone()
    return int(revision)
