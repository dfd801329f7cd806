"""The embedded store: one SQLite file, durable through ``kill -9`` and power loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from conversation.clock import Clock
from conversation.stores.retention import Retention
from conversation.stores.sqlite.audit import SqliteAudit
from conversation.stores.sqlite.conversations import SqliteConversations
from conversation.stores.sqlite.events import SqliteEvents
from conversation.stores.sqlite.privacy import SqlitePrivacy
from conversation.stores.sqlite.records import SqliteRecords
from conversation.stores.sqlite.transcripts import SqliteTranscripts
from conversation.stores.sqlite.turns import SqliteTurns
from conversation.stores.sqlite.writer import COMMIT_EVERY, Writer


class SqliteStore:
    """The file at ``path`` is created with its folder when it is missing. Use a local disk.

    ``commit_every`` is the least time between two waits for the disk, in seconds: what arrives meanwhile shares
    the next one.
    """

    exclusive = True
    permits = None

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        commit_every: float = COMMIT_EVERY,
        retention: Retention = Retention(),  # noqa: B008 - frozen
    ) -> None:
        self._writer = Writer(path, commit_every=commit_every)
        self.turns = SqliteTurns(self._writer, clock, retention)
        self.transcripts = SqliteTranscripts(self._writer)
        self.events = SqliteEvents(self._writer, clock)
        self.records = SqliteRecords(self._writer)
        self.conversations = SqliteConversations(self._writer, clock)
        self.audit = SqliteAudit(self._writer, clock)
        self.privacy = SqlitePrivacy(self._writer)

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it."""
        await self._writer.open()

    async def close(self) -> None:
        await self._writer.close()

    async def backup(self, path: Path) -> None:
        """A copy of the whole store at one moment, while it is used. Raises StoreUnavailableError."""
        await self._writer.backup(path)

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:  # noqa: ARG002 - the port's signature
        """Nobody else has this store open."""
        await asyncio.Event().wait()
