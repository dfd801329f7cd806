"""What happened, in SQLite."""

from __future__ import annotations

import sqlite3
from typing import Literal

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.events import Event, EventKind, from_their_first
from conversation.stores.sqlite.writer import LARGEST_NUMBER, Writer

_EVENT = (
    "SELECT position, at, kind, key, turn, detail FROM event"
    " JOIN conversation ON conversation.id = event.conversation"
)


class SqliteEvents:
    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

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
        begins_with = "turn >= ?1 AND turn < ?1 || 'g'"
        found = await self._read(
            f"{_EVENT} WHERE conversation IN (SELECT conversation FROM seen WHERE {begins_with})"
            f" AND {begins_with} ORDER BY position",
            id,
        )
        return from_their_first(found)

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        newest_first = await self._read(
            f"{_EVENT} WHERE conversation = (SELECT id FROM conversation WHERE key = ?)"
            " ORDER BY position DESC LIMIT ?",
            str(key),
            limit,
        )
        return newest_first[::-1]

    async def note(
        self, kind: Literal["turn.feedback"], key: ConversationKey, turn_id: str, detail: str
    ) -> bool:
        def step(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT id FROM conversation WHERE key = ?", (str(key),)).fetchone()
            if row is not None:
                log(db, self._clock.now(), kind, row[0], turn_id, detail)
            return row is not None

        return await self._writer.run(step)

    async def _read(self, query: str, *values: str | int) -> tuple[Event, ...]:
        def step(db: sqlite3.Connection) -> tuple[Event, ...]:
            return tuple(
                Event(position, at, kind, ConversationKey.parse(key), turn, detail)
                for position, at, kind, key, turn, detail in db.execute(query, values)
            )

        return await self._writer.run(step)


def log(
    db: sqlite3.Connection, now: float, kind: EventKind, conversation: int, turn_id: str, detail: str = ""
) -> None:
    db.execute(
        "INSERT INTO event (at, kind, conversation, turn, detail) VALUES (?, ?, ?, ?, ?)",
        (now, kind, conversation, turn_id, detail),
    )
