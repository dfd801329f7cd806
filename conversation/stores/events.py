"""The port to the event log: what happened to conversations, in order, without any message text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from conversation.keys import ConversationKey

EVENTS_KEPT = 100_000
"""Events that memory, and a partition of Redis, hold at most; older ones are forgotten."""

EventKind = Literal[
    "message.admitted",
    "message.merged",
    "message.refused",
    "message.taken_back",
    "message.edited",
    "turn.claimed",
    "turn.taken_over",
    "turn.stopped",
    "turn.retried",
    "turn.released",
    "turn.completed",
    "turn.feedback",
]


@dataclass(frozen=True, slots=True)
class Event:
    """``position`` rises with every event; ``detail`` is a reason or outcome in one word, the turn that
    a message was merged into, what somebody thought of an answer (``good`` or ``bad``, and who, see ``opinion``), or
    empty.

    Positions are for ``EventLog.after`` alone: an engine in partitions needs more than 64 bits, and leaves gaps.
    """

    position: int
    at: float
    kind: EventKind
    key: ConversationKey
    turn_id: str
    detail: str = ""


def opinion(kind: Literal["good", "bad"], turn_id: str, person: str) -> str:
    """The detail of a ``turn.feedback``. Of one turn and person (as InboundMessage.person) the last one counts; who
    it was cannot be told from it, nor whether it is the same as with another turn.
    """
    rater = hashlib.blake2b(f"{turn_id}/{person}".encode(), digest_size=4).hexdigest()
    return f"{kind}:{rater}"


def from_their_first(events: Sequence[Event]) -> tuple[Event, ...]:
    """Without turns whose first event is forgotten: where they began is not known any more."""
    known = {event.turn_id for event in events if event.kind in _FIRST}
    return tuple(event for event in events if event.turn_id in known)


_FIRST: frozenset[EventKind] = frozenset({"message.admitted", "message.merged", "message.refused"})


class EventLog(Protocol):
    """Appended to by the turn store, inside its own steps, and by ``note``."""

    async def note(
        self, kind: Literal["turn.feedback"], key: ConversationKey, turn_id: str, detail: str
    ) -> bool:
        """Append what happened to a turn after its end; False if its conversation is not known any more."""
        ...

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        """Up to ``limit`` events behind ``position`` (0: from the start), oldest first.

        An engine in partitions promises the order only within each conversation, and every event once.
        """
        ...

    async def end(self) -> int:
        """The position of the newest event: ``after`` it comes what happens from now on."""
        ...

    async def of_turn(self, id: str) -> tuple[Event, ...]:
        """The events of the turns whose ids begin with ``id`` (8 characters or more), oldest first, for as long as
        the first of a turn is kept. Of a message that was merged they tell into which turn.
        """
        ...

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        """The newest ``limit`` kept events of a conversation, oldest first."""
        ...
