"""The port to all that is kept of one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from conversation.keys import ConversationKey
from conversation.stores.transcripts import Said
from conversation.turn import DeadLetter


@dataclass(frozen=True, slots=True)
class Kept:
    """``waiting`` counts messages whose answer is still to come: they are part of neither export nor erasure."""

    said: tuple[tuple[ConversationKey, Said], ...]
    letters: tuple[DeadLetter, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class Erased:
    said: int
    letters: int
    waiting: int


class Privacy(Protocol):
    async def kept(self, person: str, bot: str) -> Kept:
        """What is kept of a person (as InboundMessage.person) of this bot."""
        ...

    async def erase(self, person: str, bot: str) -> Erased:
        """Forget it: questions, their answers, dead letters. Repeating it is harmless."""
        ...
