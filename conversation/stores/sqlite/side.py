"""Transcripts, events and records in SQLite."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.events import Event
from conversation.stores.records import Record, RecordConflictError
from conversation.stores.sqlite.writer import LARGEST_NUMBER, Writer
from conversation.stores.transcripts import Said, entries


class SqliteTranscripts:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return entries(await self.said(key, turns))

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        def step(db: sqlite3.Connection) -> tuple[Said, ...]:
            rows = db.execute(
                "SELECT turn, person, at, question, answer FROM said"
                " WHERE conversation = (SELECT id FROM conversation WHERE key = ?)"
                " ORDER BY seq DESC LIMIT ?",
                (str(key), limit),
            ).fetchall()
            return tuple(Said(*row) for row in reversed(rows))

        return await self._writer.run(step)


_EVENT = (
    "SELECT position, at, kind, key, turn, detail FROM event"
    " JOIN conversation ON conversation.id = event.conversation"
)


class SqliteEvents:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        return await self._read(
            f"{_EVENT} WHERE position > ? ORDER BY position LIMIT ?", min(position, LARGEST_NUMBER), limit
        )

    async def end(self) -> int:
        def step(db: sqlite3.Connection) -> int:
            row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
            return int(row[0]) if row else 0

        return await self._writer.run(step)

    async def of_turn(self, id: str) -> tuple[Event, ...]:
        # An id is hexadecimal: whatever begins with it sorts below the same text with a g behind it.
        return await self._read(f"{_EVENT} WHERE turn >= ? AND turn < ? ORDER BY position", id, f"{id}g")

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        newest_first = await self._read(
            f"{_EVENT} WHERE conversation = (SELECT id FROM conversation WHERE key = ?)"
            " ORDER BY position DESC LIMIT ?",
            str(key),
            limit,
        )
        return newest_first[::-1]

    async def _read(self, query: str, *values: str | int) -> tuple[Event, ...]:
        def step(db: sqlite3.Connection) -> tuple[Event, ...]:
            return tuple(
                Event(position, at, kind, ConversationKey.parse(key), turn, detail)
                for position, at, kind, key, turn, detail in db.execute(query, values)
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
