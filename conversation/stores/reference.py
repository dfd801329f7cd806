"""The turn store as a plain model in memory: what every engine must agree with, and the ``memory:`` store.

It is written to be read: one conversation is one object, every operation is a few lines, nothing is clever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.providers.port import Entry
from conversation.stores.events import Event, EventKind
from conversation.stores.port import (
    LEASE,
    SEEN_FOR,
    Admission,
    ClaimLostError,
    DeadLetter,
    SessionLostError,
)
from conversation.turn import Claim, Delivery, Final, Reason, Turn

EVENTS_KEPT = 100_000
"""Events that memory holds; older ones are forgotten."""


@dataclass
class _Conversation:
    queue: deque[Turn] = field(default_factory=deque)
    epoch: int = 0
    owner: str | None = None
    due_at: float | None = None
    taken_over_at: float | None = None
    completed_epoch: int = 0
    told_full: bool = False


@dataclass
class _Session:
    expires_at: float
    draining: bool = False


class ReferenceTurns:
    """Keeps turns, transcripts and events of one process's life.

    ``ready`` maps ready conversations to nothing, in the order in which they became ready.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._conversations: dict[ConversationKey, _Conversation] = {}
        self._ready: dict[ConversationKey, None] = {}
        self._sessions: dict[str, _Session] = {}
        self._sessions_opened = 0
        self._seen: dict[str, float] = {}
        self._dead: list[DeadLetter] = []
        self.said: dict[ConversationKey, list[tuple[Entry, ...]]] = {}
        self.happened: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.position = 0

    async def open_session(self) -> str:
        self._sessions_opened += 1
        session = f"s{self._sessions_opened}"
        self._sessions[session] = _Session(self._clock.now() + LEASE)
        return session

    async def take_over(self, session: str) -> int:
        self._known(session)
        return sum(self._reap(other) for other in tuple(self._sessions) if other != session)

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        self._known(session).expires_at = self._clock.now() + LEASE
        known = {(claim.key, claim.epoch) for claim in held}
        return tuple(
            self._current_claim(key)
            for key, conversation in self._conversations.items()
            if conversation.owner == session and (key, conversation.epoch) not in known
        )

    async def drain(self, session: str) -> None:
        self._known(session).draining = True

    async def close_session(self, session: str) -> None:
        for key, conversation in self._conversations.items():
            if conversation.owner == session:
                conversation.taken_over_at = self._clock.now()
                self._put_back(key, "turn.released")
        self._sessions.pop(session, None)

    async def admit(
        self,
        message: InboundMessage,
        *,
        session: str,
        may_claim: bool,
        max_queued: int,
        refusal: Reason | None = None,
    ) -> Admission:
        now = self._clock.now()
        seen_at = self._seen.get(message.turn_id)
        if seen_at is not None and now - seen_at < SEEN_FOR:
            return Admission("duplicate")
        self._seen[message.turn_id] = now
        conversation = self._conversations.setdefault(message.key, _Conversation())
        if len(conversation.queue) > max_queued:
            self._log("message.refused", message.key, message.turn_id, Reason.QUEUE_FULL)
            notice_due, conversation.told_full = not conversation.told_full, True
            return Admission("queue_full", notice_due=notice_due)
        conversation.told_full = False
        was_idle = not conversation.queue
        conversation.queue.append(Turn(message, now, refusal))
        self._log("message.admitted", message.key, message.turn_id, refusal or "")
        if not was_idle:
            return Admission("accepted")
        if may_claim and self._may_claim(session):
            return Admission("accepted", self._claim(message.key, session))
        self._ready[message.key] = None
        return Admission("accepted")

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        if self._known(session).expires_at <= self._clock.now():
            raise SessionLostError("the lease has expired: renew it first")
        if not self._may_claim(session):
            return ()
        return tuple(self._claim(key, session) for key in tuple(self._ready)[:most])

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        conversation = self._owned(claim)
        conversation.queue[0] = replace(conversation.queue[0], delivery=delivery)

    async def complete(self, claim: Claim, final: Final, *, keep_turns: int) -> Claim | None:
        conversation = self._conversations.get(claim.key)
        if conversation is not None and conversation.completed_epoch == claim.epoch:
            return None
        conversation = self._owned(claim)
        turn = conversation.queue.popleft()
        conversation.owner = conversation.taken_over_at = None
        conversation.completed_epoch = claim.epoch
        if final.answer:
            said = self.said.setdefault(claim.key, [])
            said.append((Entry("user", turn.message.text), Entry("assistant", final.answer)))
            del said[:-keep_turns]
        reason = final.outcome.reason
        if final.outcome.kind == "dead" and reason is not None:
            self._dead.append(DeadLetter(claim.key, turn.message, reason, self._clock.now()))
        self._log("turn.completed", claim.key, turn.id, reason or final.outcome.kind)
        if conversation.queue:
            self._ready[claim.key] = None
        if not self._ready or not self._may_claim(claim.session):
            return None
        return self._claim(next(iter(self._ready)), claim.session)

    async def retry(self, claim: Claim, delay: float) -> None:
        conversation = self._owned(claim)
        head = conversation.queue[0]
        conversation.queue[0] = replace(head, failures=head.failures + 1)
        conversation.owner = conversation.taken_over_at = None
        conversation.due_at = self._clock.now() + delay
        self._log("turn.retried", claim.key, head.id)

    async def release(self, claim: Claim) -> None:
        self._owned(claim)
        self._put_back(claim.key, "turn.released")

    async def tick(self, limit: int) -> bool:
        now = self._clock.now()
        expired = [name for name, session in self._sessions.items() if session.expires_at <= now]
        taken = sum(self._reap(name) for name in expired[:limit])
        due = sorted(
            (conversation.due_at, str(key), key)
            for key, conversation in self._conversations.items()
            if conversation.due_at is not None and conversation.due_at <= now
        )
        for _, _, key in due[:limit]:
            self._conversations[key].due_at = None
            self._ready[key] = None
        forgotten = [turn for turn, at in self._seen.items() if now - at >= SEEN_FOR]
        for turn in forgotten[:limit]:
            del self._seen[turn]
        return bool(taken or due)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        return tuple(self._dead)

    def _known(self, session: str) -> _Session:
        try:
            return self._sessions[session]
        except KeyError:
            raise SessionLostError("the session was reaped or closed") from None

    def _may_claim(self, session: str) -> bool:
        lease = self._sessions.get(session)
        return lease is not None and not lease.draining and lease.expires_at > self._clock.now()

    def _owned(self, claim: Claim) -> _Conversation:
        conversation = self._conversations.get(claim.key)
        if (
            conversation is None
            or conversation.owner != claim.session
            or conversation.epoch != claim.epoch
            or claim.session not in self._sessions
        ):
            raise ClaimLostError("somebody else holds this conversation now")
        return conversation

    def _claim(self, key: ConversationKey, session: str) -> Claim:
        conversation = self._conversations[key]
        self._ready.pop(key, None)
        conversation.epoch += 1
        conversation.owner = session
        head = conversation.queue[0]
        conversation.queue[0] = replace(head, attempt=head.attempt + 1)
        self._log("turn.claimed", key, head.id)
        return self._current_claim(key)

    def _current_claim(self, key: ConversationKey) -> Claim:
        conversation = self._conversations[key]
        if conversation.owner is None:
            raise ClaimLostError("nobody holds this conversation")
        return Claim(
            key, conversation.queue[0], conversation.epoch, conversation.owner, conversation.taken_over_at
        )

    def _put_back(self, key: ConversationKey, event: EventKind) -> None:
        conversation = self._conversations[key]
        conversation.owner = None
        self._ready[key] = None
        self._log(event, key, conversation.queue[0].id)

    def _reap(self, session: str) -> int:
        del self._sessions[session]
        held = [key for key, conversation in self._conversations.items() if conversation.owner == session]
        for key in held:
            conversation = self._conversations[key]
            head = conversation.queue[0]
            conversation.queue[0] = replace(head, crashes=head.crashes + 1)
            conversation.taken_over_at = self._clock.now()
            self._put_back(key, "turn.taken_over")
        return len(held)

    def _log(self, kind: EventKind, key: ConversationKey, turn_id: str, detail: str = "") -> None:
        self.position += 1
        self.happened.append(Event(self.position, self._clock.now(), kind, key, turn_id, str(detail)))
