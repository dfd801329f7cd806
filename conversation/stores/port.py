"""The turn store: the one place that decides who may answer what, and when.

Safety is fencing. A process holds a *session* with a lease; a session holds *claims* on conversations; every
claim has a higher ``epoch`` than the one before, and every mutation compares epoch and session. Whoever lost
its claim can change nothing any more.

Invariants, which the conformance suite and the state machine assert for every engine:

- a conversation is *running* exactly when one session holds the claim on its head turn;
- it is *ready* exactly when it has a turn, is not running and is not backing off;
- only the head is claimable; turns leave at the head, in the order of their admission;
- never do more turns of a bot, or of one person at a bot, run than the bot's limits said when it last admitted;
- a turn whose final text is stored, or that has ended, can no longer be stopped;
- deduplication and append commit together; a completed turn, its transcript, its event and the hand-over too;
- every operation is atomic and, when it raises StoreUnavailableError, either happened as a whole or not at all.

Time inside the store is the store's time, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from conversation.busy import Limits, WhenBusy
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stores.audit import AuditLog
from conversation.stores.conversations import Conversations
from conversation.stores.events import EventLog
from conversation.stores.permits import Permits
from conversation.stores.privacy import Privacy
from conversation.stores.records import Records
from conversation.stores.transcripts import Transcripts
from conversation.turn import Claim, DeadLetter, Delivery, Final, Reason, Repair

LEASE = 15.0
"""Seconds for which a session is alive after it was opened or renewed."""

SEEN_FOR = 24 * 3600.0
"""Seconds for which a redelivered message is recognised (Lark's last retry comes after 7.4 hours)."""


OUTAGE = 5.0
"""Seconds without a tick, which every process makes each second, after which the store must have been away."""

GRACE = 5.0
"""Seconds after an outage in which nobody is reaped: one renewal interval, for leases that ended meanwhile."""

REPAIR_AGAIN = 60.0
"""Seconds after which a repair that was taken and not reported as done is due again."""

REPAIRABLE_FOR = 3600.0
"""Seconds after its completion for which a turn can be repaired."""


class StoreError(Exception):
    """The store did not do what it was asked."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or cannot write now. Trying again later may succeed."""


class ClaimLostError(StoreError):
    """Somebody else holds the conversation now: stop at once, and change nothing more.

    ``stray`` is the ref of a message that was sent for this claim and could not be stored.
    """

    stray: str = ""


class SessionLostError(StoreError):
    """The session was reaped or never existed: all its claims are lost. Open a new one."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A turn that is to end. Its owner has to be told: ``session``, empty if nobody runs it now."""

    key: ConversationKey
    epoch: int
    session: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of a message.

    ``claim`` is set when the caller's session now holds the conversation. ``notice_due`` is set for the first
    message that a full queue refuses, until the queue has room again. ``stopped`` is the reply that the message
    interrupted.
    """

    status: Literal["accepted", "duplicate", "queue_full"]
    claim: Claim | None = None
    notice_due: bool = False
    stopped: Stopped | None = None


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
        """Extend the lease and return the claims of this session that are not among ``held``, whose answer was
        lost on the way, and those whose turn was stopped. An expired session that nobody reaped yet may renew.
        Raises SessionLostError.
        """
        ...

    async def drain(self, session: str) -> None:
        """From now on this session gets no claims; it keeps those it has. Raises SessionLostError."""
        ...

    async def close_session(self, session: str) -> None:
        """End the session; what it still holds is put back at the head, counting no crash, with
        ``last_send_at`` set to now. Closing twice is fine.
        """
        ...

    async def admit(
        self,
        message: InboundMessage,
        *,
        session: str,
        may_claim: bool,
        limits: Limits,
        when_busy: WhenBusy = "queue",
        refusal: Reason | None = None,
    ) -> Admission:
        """Append a message to its conversation's queue, unless it was seen in the last 24 hours.

        Refused when ``limits.queued`` turns wait behind the head. With ``merge`` and ``interrupt`` it joins the last
        turn instead if that has not begun, is the same person's, and is not refused. The conversation is claimed at
        once if it was idle, the limits allow, the caller ``may_claim`` and its session is alive and not draining.
        ``refusal`` makes it a turn that is answered with that notice; it neither merges nor interrupts.
        """
        ...

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> Stopped | None:
        """Let the head turn end with Reason.CANCELLED, running or not; None if there is nothing to stop, or if its
        newest message was sent after ``asked_at``, by the platform's time: that is not the one that was meant.

        ``request`` names this wish: a second call with it does nothing, for 24 hours.
        """
        ...

    async def take_back(self, bot: str, turn_id: str) -> Stopped | None:
        """The person took this message, of the last 24 hours, back. A waiting turn loses it, or is refused with
        Reason.TAKEN_BACK if it was the only one; a turn that has begun is stopped, unless it answers other messages
        too. A message that was never seen counts as seen from now on. None if no turn changed.
        """
        ...

    async def edit(self, message: InboundMessage) -> bool:
        """The person changed this message, of the last 24 hours: its words are replaced where its turn waits, whether
        they were. A turn that has begun, was refused or is a command keeps what it has, and so does one that knows a
        later ``edited_at``. A message that was never seen is not remembered.
        """
        ...

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        """Claim up to ``most`` ready conversations whose bot and person are below their limits. None for a draining
        session. Raises SessionLostError, also for an expired one: it must renew first.

        Bots take turns, however many conversations of each are ready; of one bot the longest ready goes first. An
        engine in partitions keeps that within each, and serves those with ready conversations in turn; all of a
        bot's conversations are in one. The same holds for ``complete``.
        """
        ...

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        """Store how far the answer has come. Raises ClaimLostError."""
        ...

    async def complete(
        self,
        claim: Claim,
        final: Final,
        *,
        keep_turns: int,
        keep_texts: bool = True,
        repair_after: float | None = None,
    ) -> Claim | None:
        """End the turn with its outcome and free the slot for the next conversation in line, whose claim is returned
        (None: nothing is ready, or the session may not claim).

        A conversation with further turns queues up behind those of its bot that are ready already. An answer is
        appended to the transcript, of which the newest ``keep_turns`` turns are kept; without ``keep_texts`` neither
        it nor a dead letter keeps what was said. The outcome ``obeyed`` carries the turn's command out. With
        ``repair_after`` a turn of
        which something was shown is kept for a repair that is due after so many seconds. Completing again is
        harmless and returns None. Raises ClaimLostError.
        """
        ...

    async def retry(self, claim: Claim, delay: float) -> None:
        """Put the turn back at the head and make it ready after ``delay`` seconds; counts as a failure.
        Raises ClaimLostError.
        """
        ...

    async def tick(self, limit: int) -> bool:
        """Reap expired sessions, end due back-offs, forget old deduplication and repairs, and what its retention no
        longer covers; at most ``limit`` of each.
        Returns whether a conversation became ready. Any process may, at any time.

        Who is reaped because its lease ended began its last send SEND_TIMEOUT before that at the latest, as no call
        is begun that the lease cannot outlast. After OUTAGE seconds without a tick nobody is reaped for GRACE
        seconds.
        """
        ...

    async def due_repairs(self, limit: int) -> tuple[Repair, ...]:
        """Repairs that are due, the longest due first. Each is due again after REPAIR_AGAIN, until ``repaired``."""
        ...

    async def repaired(self, repair: Repair) -> None:
        """Done, unless further strays were told of meanwhile. Within REPAIRABLE_FOR of the completion ``suspect`` can
        make it due again.
        """
        ...

    async def suspect(self, claim: Claim, after: float, stray: str = "") -> None:
        """Whoever lost this claim may have written late: a repair of the turn that is kept is due in ``after``
        seconds, or later if it was. ``stray`` is the ref of a message that was sent then, and nobody else may know.
        """
        ...

    async def epoch_if_idle(self, key: ConversationKey) -> int | None:
        """Of a conversation in which nothing runs or waits; None of another. If it is the same a second time, nothing
        ran in between.
        """
        ...

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """All of them, oldest first."""
        ...

    async def drop_dead_letter(self, id: str) -> bool:
        """Forget a dead letter; whether it was there."""
        ...


class Store(Protocol):
    """An engine: its ports over one place of keeping."""

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

    @property
    def conversations(self) -> Conversations: ...

    @property
    def audit(self) -> AuditLog: ...

    @property
    def privacy(self) -> Privacy: ...

    @property
    def permits(self) -> Permits | None:
        """What the processes of this store may ask of platforms together; None where there is only one."""
        ...

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it."""
        ...

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:
        """Call ``wake`` when a conversation may have become ready through another process, and ``stop`` when a turn
        was stopped that this process may be running, until cancelled. It may call too often, and it may miss one:
        who must not wait long looks by itself as well.
        """
        ...

    async def close(self) -> None: ...
