"""The port to what was said in a conversation. ``TurnStore.complete`` alone appends to it."""

from __future__ import annotations

from typing import Protocol

from conversation.keys import ConversationKey
from conversation.providers.port import Entry


class Transcripts(Protocol):
    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        """The entries of the newest ``turns`` turns, oldest first. A turn without an answer has one entry."""
        ...
