"""The turn store: the one place that decides who may answer what, and when.

Safety is fencing. A process holds a *session* with a lease; a session holds *claims* on conversations; every
claim has a higher ``epoch`` than the one before, and every mutation compares epoch and session. Whoever lost
its claim can change nothing any more.

Invariants, which the conformance suite and the state machine assert for every engine:

- a conversation is *running* exactly when one session holds the claim on its head turn;
- it is *ready* exactly when it has a turn, is not running and is not backing off;
- only the head is claimable; turns leave at the head, in the order of their admission;
- deduplication and append commit together; a completed turn, its transcript, its event and the hand-over too;
- every operation is atomic and, when it raises StoreUnavailableError, either happened as a whole or not at all.

Time inside the store is the store's time, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stores.events import EventLog
from conversation.stores.records import Records
from conversation.stores.transcripts import Transcripts
from conversation.turn import Claim, Delivery, Final, Reason

LEASE = 15.0
"""Seconds for which a session is alive after it was opened or renewed."""

SEEN_FOR = 24 * 3600.0
"""Seconds for which a redelivered message is recognised (Lark's last retry comes after 7.4 hours)."""


class StoreError(Exception):
    """The store did not do what it was asked."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or cannot write now. Trying again later may succeed."""


class ClaimLostError(StoreError):
    """Somebody else holds the conversation now: stop at once, and change nothing more."""


class SessionLostError(StoreError):
    """The session was reaped or never existed: all its claims are lost. Open a new one."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a message.

    ``claim`` is set when the caller's session now holds the conversation. ``notice_due`` is set for the first
    message that a full queue refuses, until the queue has room again.
    """

    status: Literal["accepted", "duplicate", "queue_full"]
    claim: Claim | None = None
    notice_due: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A turn that could not be answered; a person was told so, or could not be reached.

    ``message`` is None where the stored record is damaged or was written by a later version.
    """

    key: ConversationKey
    message: InboundMessage | None
    reason: Reason
    at: float


class TurnStore(Protocol):
    """Operations on turns. Each is atomic; ``session`` is what ``open_session`` returned."""

    async def open_session(self) -> str:
        """Begin a session with a full lease."""
        ...

    async def take_over(self, session: str) -> int:
        """Reap every other session at once, whatever its lease, and return how many turns were taken over.

        Only for a process that knows it is alone, because its store cannot be shared.
        """
        ...

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        """Extend the lease and return the claims of this session that are not among ``held``: their answer was
        lost on the way. An expired session that nobody reaped yet may renew. Raises SessionLostError.
        """
        ...

    async def drain(self, session: str) -> None:
        """From now on this session gets no claims; it keeps those it has. Raises SessionLostError."""
        ...

    async def close_session(self, session: str) -> None:
        """End the session; what it still holds is put back at the head, counting no crash, with
        ``taken_over_at`` set. Closing twice is fine.
        """
        ...

    async def admit(
        self,
        message: InboundMessage,
        *,
        session: str,
        may_claim: bool,
        max_queued: int,
        refusal: Reason | None = None,
    ) -> Admission:
        """Append a message to its conversation's queue, unless it was seen in the last 24 hours.

        Refused when ``max_queued`` turns wait behind the head. The conversation is claimed at once if it was
        idle, the caller ``may_claim`` and its session is alive and not draining. ``refusal`` makes it a turn
        that is answered with that notice.
        """
        ...

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        """Claim up to ``most`` ready conversations, longest ready first. None for a draining session.
        Raises SessionLostError, also for an expired one: it must renew first.

        An engine in partitions keeps that order within each, and serves those with ready conversations in turn;
        all of a bot's conversations are in one. The same holds for ``complete``.
        """
        ...

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        """Store how far the answer has come. Raises ClaimLostError."""
        ...

    async def complete(self, claim: Claim, final: Final, *, keep_turns: int) -> Claim | None:
        """End the turn with its outcome and free the slot for the longest-ready conversation, whose claim is
        returned (None: nothing is ready, or the session may not claim).

        A conversation with further turns queues up behind those that are ready already. An answer is appended to
        the transcript, of which the newest ``keep_turns`` turns are kept. Completing again is harmless and
        returns None. Raises ClaimLostError.
        """
        ...

    async def retry(self, claim: Claim, delay: float) -> None:
        """Put the turn back at the head and make it ready after ``delay`` seconds; counts as a failure.
        Raises ClaimLostError.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Put the turn back at the head, ready for anybody, counting neither crash nor failure.
        Raises ClaimLostError.
        """
        ...

    async def tick(self, limit: int) -> bool:
        """Reap expired sessions, end due back-offs, forget old deduplication; at most ``limit`` of each.
        Returns whether a conversation became ready. Any process may, at any time.
        """
        ...

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """All of them, oldest first."""
        ...


class Store(Protocol):
    """An engine: the four ports over one place of keeping."""

    @property
    def exclusive(self) -> bool:
        """Whether no second process can have this store open."""
        ...

    @property
    def turns(self) -> TurnStore: ...

    @property
    def transcripts(self) -> Transcripts: ...

    @property
    def events(self) -> EventLog: ...

    @property
    def records(self) -> Records: ...

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it."""
        ...

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when a conversation may have become ready through another process, until cancelled.
        It may call too often, and it may miss one: who must not wait long looks by itself as well.
        """
        ...

    async def close(self) -> None: ...
