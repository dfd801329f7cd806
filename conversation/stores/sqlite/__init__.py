"""The embedded store: one SQLite file, durable through ``kill -9`` and power loss."""

from __future__ import annotations

from pathlib import Path

from conversation.clock import Clock
from conversation.stores.sqlite.side import SqliteEvents, SqliteRecords, SqliteTranscripts
from conversation.stores.sqlite.turns import SqliteTurns
from conversation.stores.sqlite.writer import Writer


class SqliteStore:
    """The file at ``path`` is created with its folder when it is missing. Use a local disk."""

    exclusive = True

    def __init__(self, path: Path, clock: Clock) -> None:
        self._writer = Writer(path)
        self.turns = SqliteTurns(self._writer, clock)
        self.transcripts = SqliteTranscripts(self._writer)
        self.events = SqliteEvents(self._writer)
        self.records = SqliteRecords(self._writer)

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it."""
        await self._writer.open()

    async def close(self) -> None:
        await self._writer.close()
