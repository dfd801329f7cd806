"""The ``memory:`` store: the reference model with its side ports. It promises nothing across a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conversation.clock import Clock
from conversation.stores.memory.audit import MemoryAudit
from conversation.stores.memory.conversations import MemoryConversations
from conversation.stores.memory.events import MemoryEvents
from conversation.stores.memory.privacy import MemoryPrivacy
from conversation.stores.memory.records import MemoryRecords
from conversation.stores.memory.transcripts import MemoryTranscripts
from conversation.stores.memory.turns import ReferenceTurns
from conversation.stores.retention import Retention


class MemoryStore:
    """Everything in this process, gone with it."""

    exclusive: bool = True
    permits = None

    def __init__(self, clock: Clock, *, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self.transcripts = MemoryTranscripts()
        self.events = MemoryEvents(clock)
        self.audit = MemoryAudit(clock)
        self.turns = ReferenceTurns(clock, retention, self.transcripts, self.events, self.audit)
        self.records = MemoryRecords()
        self.conversations = MemoryConversations(self.turns.conversations, self.turns.line, clock)
        self.privacy = MemoryPrivacy(self.turns, self.transcripts)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:  # noqa: ARG002 - the port's signature
        """Nobody else has this store open."""
        await asyncio.Event().wait()
