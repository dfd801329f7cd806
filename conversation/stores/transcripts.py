"""The port to what was said in a conversation. ``TurnStore.complete`` alone appends to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from conversation.keys import ConversationKey
from conversation.providers.port import Entry


@dataclass(frozen=True, slots=True)
class Said:
    """A turn that was answered: ``person`` (as InboundMessage.person) asked, and had the answer at ``at``."""

    turn_id: str
    person: str
    at: float
    question: str
    answer: str


def entries(said: Sequence[Said]) -> tuple[Entry, ...]:
    """As the model is given it."""
    return tuple(
        entry for one in said for entry in (Entry("user", one.question), Entry("assistant", one.answer))
    )


class Transcripts(Protocol):
    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        """Question and answer of the newest ``turns`` turns, oldest first. Only answered turns are kept: what was
        refused, or made the model fail, is not shown to it again.
        """
        ...

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        """The newest ``limit`` of them as they are kept, oldest first."""
        ...
