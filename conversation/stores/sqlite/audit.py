"""The audit log in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from conversation.clock import Clock
from conversation.stores.audit import AuditEntry, Deed
from conversation.stores.sqlite.writer import LARGEST_NUMBER, Writer


class SqliteAudit:
    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def append(self, deed: Deed) -> None:
        def step(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO audit (at, who, action, target, detail) VALUES (?, ?, ?, ?, ?)",
                (self._clock.now(), *astuple(deed)),
            )

        await self._writer.run(step)

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        def step(db: sqlite3.Connection) -> tuple[AuditEntry, ...]:
            found = db.execute(
                "SELECT position, at, who, action, target, detail FROM audit"
                " WHERE ?1 IS NULL OR position < ?1 ORDER BY position DESC LIMIT ?2",
                (None if position is None else min(position, LARGEST_NUMBER), limit),
            )
            return tuple(AuditEntry(number, at, Deed(*deed)) for number, at, *deed in found)

        return await self._writer.run(step)
