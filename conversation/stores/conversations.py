"""The port through which conversations are looked at. It changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from conversation.keys import ConversationKey
from conversation.turn import Turn

LISTED_FOR = 30 * 86400.0
"""Seconds after its last message for which a conversation is listed."""

State = Literal["running", "ready", "backing_off", "idle"]


@dataclass(frozen=True, slots=True)
class ConversationState:
    """``turns`` counts those in its queue, the running one included. ``active_at``: a message was last admitted then.

    ``agent`` is the one it was bound to, or empty. ``session`` runs its head turn, or is empty.
    """

    key: ConversationKey
    state: State
    turns: int
    active_at: float
    agent: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Of a bot: turns that run, and turns that wait, whatever for."""

    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Of a bot: how many turns wait, whatever for, and for how many seconds since its admission that one has which is
    next as soon as there is room: the head of the longest ready conversation whose person is below the limit. 0 if
    there is none, however many wait behind their own conversation or for a back-off to end.
    """

    waiting: int = 0
    oldest_age: float = 0.0


class Conversations(Protocol):
    async def page(
        self, bot: str, *, before: tuple[float, str] | None = None, limit: int
    ) -> tuple[ConversationState, ...]:
        """A bot's conversations of the last 30 days, the newest activity first.

        ``before`` is the (active_at, str(key)) of the last one of the page before.
        """
        ...

    async def find(self, key: ConversationKey) -> ConversationState | None:
        """None if nothing was ever said there, or too long ago."""
        ...

    async def queue(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        """Its turns that have not ended, the head first, at most ``limit``."""
        ...

    async def load(self, bot: str) -> Load: ...

    async def queues(self, bots: Collection[str]) -> dict[str, Queue]:
        """Of each of these bots. Costs no more than what waits, however much is kept, and of that it reads little."""
        ...
