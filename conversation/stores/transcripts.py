"""The port to what was said in a conversation. ``TurnStore.complete`` alone appends to it."""

from __future__ import annotations

from typing import Protocol

from conversation.keys import ConversationKey
from conversation.providers.port import Entry


class Transcripts(Protocol):
    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        """Question and answer of the newest ``turns`` turns, oldest first. Only answered turns are kept: what was
        refused, or made the model fail, is not shown to it again.
        """
        ...
