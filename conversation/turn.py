"""A turn: one message's way from the queue to its one visible answer.

Invariants, kept by every turn store:

- a turn has exactly one outcome, and its final text is stored before it is shown;
- ``attempt`` counts the claims of this turn, ``crashes`` those whose process died;
- a turn that has begun (``attempt`` is not 0) keeps its messages;
- a part's id depends on turn and number only, so that every attempt names the same message.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage

CRASHES_BEFORE_DEAD = 4
"""A turn whose process died this often is answered with a notice, without asking the model again."""


class Reason(StrEnum):
    """Why a message did not get the model's complete answer. Each has a person's text in ``texts``."""

    STALE = "stale"
    BOT_DISABLED = "bot_disabled"
    NOT_ALLOWED = "not_allowed"
    CREDENTIAL_MISSING = "credential_missing"
    MALFORMED = "malformed"
    EMPTY_REPLY = "empty_reply"
    CONTEXT_TIMEOUT = "context_timeout"
    MODEL_TIMEOUT = "model_timeout"
    MODEL_ERROR = "model_error"
    MODEL_RATE_LIMITED = "model_rate_limited"
    DELIVERY_FAILED = "delivery_failed"
    EXECUTOR_CRASH = "executor_crash"
    QUEUE_FULL = "queue_full"
    CANCELLED = "cancelled"
    TAKEN_BACK = "taken_back"
    SUPERSEDED = "superseded"
    UNSUPPORTED = "unsupported"


STOPPING = frozenset({Reason.CANCELLED, Reason.TAKEN_BACK, Reason.SUPERSEDED})
"""Somebody wanted the reply to end: nothing went wrong."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. ``reason`` is None exactly when the person has the model's complete answer, or a command was
    obeyed.
    """

    kind: Literal["answered", "obeyed", "failed", "refused", "cancelled", "dead"]
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One message on the platform that shows (a part of) the answer.

    ``ref`` is written and read by the channel alone: what it needs to find and change that message again. Empty: it
    is about to be sent.
    """

    number: int
    ref: str


@dataclass(frozen=True, slots=True)
class Final:
    """The decided end of a turn: the text of each part, and ``answer``, what the transcript keeps of it. ``files``
    are uploaded already; how the channel refers to them.
    """

    texts: tuple[str, ...]
    answer: str
    outcome: Outcome
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far the answer has come on the platform. Once ``final`` is stored the model is never asked again."""

    parts: tuple[Part, ...] = ()
    final: Final | None = None

    def with_part(self, part: Part) -> Delivery:
        others = tuple(known for known in self.parts if known.number != part.number)
        return Delivery((*others, part), self.final)

    def without_part(self, number: int) -> Delivery:
        return Delivery(tuple(part for part in self.parts if part.number != number), self.final)

    def ref(self, number: int) -> str | None:
        """None where no ref is known."""
        return next((part.ref or None for part in self.parts if part.number == number), None)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is answered at once: a message, or several that were merged, oldest first.

    ``id`` is the turn id of the first message, also where that was taken back later. A ``refusal`` is answered with
    that notice instead of the model; it may come while the turn runs.
    """

    id: str
    messages: tuple[InboundMessage, ...]
    admitted_at: float
    refusal: Reason | None = None
    attempt: int = 0
    crashes: int = 0
    failures: int = 0
    delivery: Delivery = field(default_factory=Delivery)
    asked: str = ""
    """What the model was asked, as far as the transcript keeps it; known only once it was asked."""

    @property
    def message(self) -> InboundMessage:
        """The one that the answer stands under: the newest."""
        return self.messages[-1]

    @property
    def question(self) -> str:
        """What the people said, or what the model was asked instead."""
        return self.asked or "\n\n".join(message.said for message in self.messages)

    @property
    def words(self) -> str:
        """What the people wrote, without what it came with."""
        return "\n\n".join(message.text for message in self.messages if message.text)

    @property
    def reference(self) -> str:
        """The short id that a person can read to an admin."""
        return self.id[:8]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run the head turn of one conversation, fenced by ``epoch``: a later claim ends this one.

    ``last_send_at`` is set, in the store's time, when the claim before this one ended with its process or its
    session: the latest moment at which that process may have begun a send.
    """

    key: ConversationKey
    turn: Turn
    epoch: int
    session: str
    last_send_at: float | None = None
    agent: str = ""
    """The agent that the conversation was bound to; empty: the bot's own."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A completed turn that was taken over: a write of the process before may have arrived after the final text.

    ``strays`` are refs of messages that such a process sent when the turn was not its own any more.
    """

    turn: Turn
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A turn that could not be answered; a person was told so, or could not be reached. ``id`` is the turn's, and
    ``person`` (as InboundMessage.person) whom it was to answer.

    ``messages`` is empty where the stored record is damaged or was written by a later version, or where its bot keeps
    no texts.
    """

    id: str
    key: ConversationKey
    person: str
    messages: tuple[InboundMessage, ...]
    reason: Reason
    at: float


def part_id(turn_id: str, number: int) -> str:
    """The idempotency id of a part, 34 characters (Lark allows a ``uuid`` 50)."""
    return "tk" + hashlib.blake2b(f"{turn_id}/{number}".encode(), digest_size=16).hexdigest()
