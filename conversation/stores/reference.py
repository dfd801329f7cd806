"""The turn store as a plain model in memory: what every engine must agree with, and the ``memory:`` store.

It is written to be read: one conversation is one object, every operation is a few lines, nothing is clever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace

from conversation.busy import Limits, WhenBusy
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import Command, InboundMessage
from conversation.outbound import SEND_TIMEOUT
from conversation.stores.events import Event, EventKind
from conversation.stores.port import (
    GRACE,
    LEASE,
    OUTAGE,
    SEEN_FOR,
    Admission,
    ClaimLostError,
    SessionLostError,
    Stopped,
)
from conversation.stores.reference_line import Conversation, Line
from conversation.stores.reference_repairs import KeptForRepair
from conversation.stores.retention import Retention
from conversation.stores.transcripts import Said
from conversation.turn import Claim, DeadLetter, Delivery, Final, Reason, Repair, Turn

EVENTS_KEPT = 100_000
"""Events that memory holds; older ones are forgotten."""


@dataclass
class _Session:
    expires_at: float
    draining: bool = False


class ReferenceTurns:
    """Keeps turns, transcripts and events of one process's life."""

    def __init__(self, clock: Clock, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self._clock = clock
        self._retention = retention
        self.conversations: dict[ConversationKey, Conversation] = {}
        self._line = Line(self.conversations)
        self._sessions: dict[str, _Session] = {}
        self._sessions_opened = 0
        self._seen: dict[str, float] = {}
        self.dead: list[DeadLetter] = []
        self._repairs = KeptForRepair(clock)
        self._ticked_at: float | None = None
        self._grace_until = 0.0
        self.said: dict[ConversationKey, list[Said]] = {}
        self.happened: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.position = 0

    async def open_session(self) -> str:
        self._sessions_opened += 1
        session = f"s{self._sessions_opened}"
        self._sessions[session] = _Session(self._clock.now() + LEASE)
        return session

    async def take_over(self, session: str) -> int:
        self._known(session)
        now = self._clock.now()
        return sum(self._reap(other, now) for other in tuple(self._sessions) if other != session)

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        self._known(session).expires_at = self._clock.now() + LEASE
        known = {(claim.key, claim.epoch) for claim in held}
        return tuple(
            self._current_claim(key)
            for key, conversation in self.conversations.items()
            if conversation.owner == session
            and (conversation.stopped or (key, conversation.epoch) not in known)
        )

    async def drain(self, session: str) -> None:
        self._known(session).draining = True

    async def close_session(self, session: str) -> None:
        for key, conversation in self.conversations.items():
            if conversation.owner == session:
                conversation.last_send_at = self._clock.now()
                self._put_back(key, "turn.released")
        self._sessions.pop(session, None)

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
        if not self._first_sight(message.turn_id):
            return Admission("duplicate")
        self._line.limit(message.key.bot, limits)
        conversation = self.conversations.setdefault(message.key, Conversation())
        merged = (
            refusal is None and when_busy != "queue" and self._merge(conversation, message, limits.queued)
        )
        if not merged and len(conversation.queue) > limits.queued:
            self._log("message.refused", message.key, message.turn_id, Reason.QUEUE_FULL)
            notice_due, conversation.told_full = not conversation.told_full, True
            return Admission("queue_full", notice_due=notice_due)
        stopped = None
        if refusal is None and when_busy == "interrupt" and message.command is None:
            stopped = self._stop_head(message.key, Reason.SUPERSEDED, begun=True)
        if merged:
            return Admission("accepted", stopped=stopped)
        conversation.told_full, conversation.active_at = False, self._clock.now()
        was_idle = not conversation.queue
        conversation.queue.append(Turn(message.turn_id, (message,), self._clock.now(), refusal))
        self._log("message.admitted", message.key, message.turn_id, refusal or "")
        if not was_idle:
            return Admission("accepted", stopped=stopped)
        self._line.join(message.key)
        if may_claim and self._may_claim(session) and self._line.may_go(message.key):
            return Admission("accepted", self._claim(message.key, session))
        return Admission("accepted")

    def _merge(self, conversation: Conversation, message: InboundMessage, most: int) -> bool:
        last = conversation.queue[-1] if conversation.queue else None
        if (
            last is None
            or last.attempt
            or last.refusal
            or last.message.command
            or message.command
            or last.message.person != message.person
            or len(last.messages) >= most
        ):
            return False
        conversation.queue[-1] = replace(last, messages=(*last.messages, message))
        conversation.active_at = self._clock.now()
        self._log("message.merged", message.key, message.turn_id, last.id)
        return True

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> Stopped | None:
        if not self._first_sight(request):
            return None
        conversation = self.conversations.get(key)
        if conversation and conversation.queue and conversation.queue[0].message.sent_at > asked_at:
            return None
        return self._stop_head(key, Reason.CANCELLED)

    async def take_back(self, bot: str, turn_id: str) -> Stopped | None:
        found = self._find(bot, turn_id)
        if found is None:
            self._first_sight(turn_id)
            return None
        key, place, turn = found
        others = tuple(one for one in turn.messages if one.turn_id != turn_id)
        if not others:
            return self._stop(key, place, Reason.TAKEN_BACK)
        if turn.attempt:
            return None
        conversation = self.conversations[key]
        conversation.queue[place] = replace(turn, messages=others)
        self._log("message.taken_back", key, turn_id)
        return Stopped(key, conversation.epoch, "", Reason.TAKEN_BACK)

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        if self._known(session).expires_at <= self._clock.now():
            raise SessionLostError("the lease has expired: renew it first")
        claims: list[Claim] = []
        while len(claims) < most and (claim := self._claim_next(session)) is not None:
            claims.append(claim)
        return tuple(claims)

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        conversation = self._owned(claim)
        conversation.queue[0] = replace(conversation.queue[0], delivery=delivery)

    async def complete(
        self,
        claim: Claim,
        final: Final,
        *,
        keep_turns: int,
        keep_texts: bool = True,
        repair_after: float | None = None,
    ) -> Claim | None:
        conversation = self.conversations.get(claim.key)
        if conversation is not None and conversation.completed_epoch == claim.epoch:
            return None
        conversation = self._owned(claim)
        turn, now = conversation.queue.popleft(), self._clock.now()
        if repair_after is not None and turn.delivery != Delivery():
            self._repairs.keep(turn, now + repair_after, conversation.strays)
        conversation.owner = conversation.last_send_at = None
        conversation.stopped, conversation.strays = False, ()
        conversation.completed_epoch = claim.epoch
        if final.answer and keep_texts:
            said = self.said.setdefault(claim.key, [])
            said.append(Said(turn.id, turn.message.person, now, claim.turn.question, final.answer))
            del said[:-keep_turns]
        if final.outcome.kind == "obeyed" and turn.message.command is not None:
            self._obey(claim.key, conversation, turn.message.command)
        reason = final.outcome.reason
        if final.outcome.kind == "dead" and reason is not None:
            messages = turn.messages if keep_texts else ()
            self.dead.append(DeadLetter(turn.id, claim.key, messages, reason, now))
        self._log("turn.completed", claim.key, turn.id, reason or final.outcome.kind)
        if conversation.queue:
            self._line.join(claim.key)
        return self._claim_next(claim.session)

    async def retry(self, claim: Claim, delay: float) -> None:
        conversation = self._owned(claim)
        head = conversation.queue[0]
        conversation.queue[0] = replace(head, failures=head.failures + 1)
        conversation.owner = conversation.last_send_at = None
        conversation.stopped = False
        conversation.due_at = self._clock.now() + delay
        self._log("turn.retried", claim.key, head.id)

    async def tick(self, limit: int) -> bool:
        now = self._clock.now()
        if self._ticked_at is not None and now - self._ticked_at > OUTAGE:
            self._grace_until = now + GRACE
        self._ticked_at = now
        expired = [(name, one.expires_at) for name, one in self._sessions.items() if one.expires_at <= now]
        if now < self._grace_until:
            expired = []
        taken = sum(self._reap(name, ended_at - SEND_TIMEOUT) for name, ended_at in expired[:limit])
        due = sorted(
            (conversation.due_at, str(key), key)
            for key, conversation in self.conversations.items()
            if conversation.due_at is not None and conversation.due_at <= now
        )
        for _, _, key in due[:limit]:
            self.conversations[key].due_at = None
            self._line.join(key)
        forgotten = [turn for turn, at in self._seen.items() if now - at >= SEEN_FOR]
        for turn in forgotten[:limit]:
            del self._seen[turn]
        self._repairs.forget(limit)
        self._forget_old(now, limit)
        return bool(taken or due)

    def _forget_old(self, now: float, limit: int) -> None:
        old = now - self._retention.transcripts
        for key in list(self.said):
            self.said[key] = [said for said in self.said[key] if said.at > old]
            if not self.said[key]:
                del self.said[key]
        self.dead = [letter for letter in self.dead if letter.at > old]
        for _ in range(limit):
            if not self.happened or self.happened[0].at > now - self._retention.events:
                break
            self.happened.popleft()

    async def due_repairs(self, limit: int) -> tuple[Repair, ...]:
        return self._repairs.due(limit)

    async def repaired(self, repair: Repair) -> None:
        self._repairs.done(repair)

    async def suspect(self, claim: Claim, after: float, stray: str = "") -> None:
        strays = (stray,) if stray else ()
        if self._repairs.suspect(claim.turn.id, after, strays):
            return
        conversation = self.conversations.get(claim.key)
        if conversation is not None and conversation.queue and conversation.queue[0].id == claim.turn.id:
            conversation.strays += strays

    async def epoch_if_idle(self, key: ConversationKey) -> int | None:
        conversation = self.conversations.get(key, Conversation())
        return None if conversation.queue else conversation.epoch

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        return tuple(self.dead)

    async def drop_dead_letter(self, id: str) -> bool:
        left = [letter for letter in self.dead if letter.id != id]
        dropped, self.dead = len(left) < len(self.dead), left
        return dropped

    def _obey(self, key: ConversationKey, conversation: Conversation, command: Command) -> None:
        if command.kind != "clear":
            conversation.agent = command.agent
        if command.kind != "bind":
            self.said.pop(key, None)

    def _known(self, session: str) -> _Session:
        try:
            return self._sessions[session]
        except KeyError:
            raise SessionLostError("the session was reaped or closed") from None

    def _may_claim(self, session: str) -> bool:
        lease = self._sessions.get(session)
        return lease is not None and not lease.draining and lease.expires_at > self._clock.now()

    def _owned(self, claim: Claim) -> Conversation:
        conversation = self.conversations.get(claim.key)
        if (
            conversation is None
            or conversation.owner != claim.session
            or conversation.epoch != claim.epoch
            or claim.session not in self._sessions
        ):
            raise ClaimLostError("somebody else holds this conversation now")
        return conversation

    def _claim_next(self, session: str) -> Claim | None:
        if not self._may_claim(session):
            return None
        key = self._line.first()
        return None if key is None else self._claim(key, session)

    def _claim(self, key: ConversationKey, session: str) -> Claim:
        conversation = self.conversations[key]
        self._line.leave(key)
        conversation.epoch += 1
        conversation.owner = session
        head = conversation.queue[0]
        conversation.queue[0] = replace(head, attempt=head.attempt + 1)
        self._log("turn.claimed", key, head.id)
        return self._current_claim(key)

    def _first_sight(self, turn_id: str) -> bool:
        now = self._clock.now()
        seen_at = self._seen.get(turn_id)
        if seen_at is not None and now - seen_at < SEEN_FOR:
            return False
        self._seen[turn_id] = now
        return True

    def _find(self, bot: str, turn_id: str) -> tuple[ConversationKey, int, Turn] | None:
        for key, conversation in self.conversations.items():
            for place, turn in enumerate(conversation.queue):
                if key.bot == bot and any(message.turn_id == turn_id for message in turn.messages):
                    return key, place, turn
        return None

    def _stop_head(self, key: ConversationKey, reason: Reason, *, begun: bool = False) -> Stopped | None:
        """``begun``: only if it has."""
        conversation = self.conversations.get(key)
        if conversation is None or not conversation.queue or (begun and not conversation.queue[0].attempt):
            return None
        return self._stop(key, 0, reason)

    def _stop(self, key: ConversationKey, place: int, reason: Reason) -> Stopped | None:
        conversation = self.conversations[key]
        turn = conversation.queue[place]
        if turn.refusal is not None or turn.delivery.final is not None:
            return None
        conversation.queue[place] = replace(turn, refusal=reason)
        running = place == 0 and conversation.owner is not None
        conversation.stopped = conversation.stopped or running
        self._log("turn.stopped", key, turn.id, reason)
        return Stopped(key, conversation.epoch, (conversation.owner or "") if running else "", reason)

    def _current_claim(self, key: ConversationKey) -> Claim:
        conversation = self.conversations[key]
        if conversation.owner is None:
            raise ClaimLostError("nobody holds this conversation")
        return Claim(
            key,
            conversation.queue[0],
            conversation.epoch,
            conversation.owner,
            conversation.last_send_at,
            conversation.agent,
        )

    def _put_back(self, key: ConversationKey, event: EventKind) -> None:
        conversation = self.conversations[key]
        conversation.owner, conversation.stopped = None, False
        self._line.join(key)
        self._log(event, key, conversation.queue[0].id)

    def _reap(self, session: str, last_send_at: float) -> int:
        del self._sessions[session]
        held = [key for key, conversation in self.conversations.items() if conversation.owner == session]
        for key in held:
            conversation = self.conversations[key]
            head = conversation.queue[0]
            conversation.queue[0] = replace(head, crashes=head.crashes + 1)
            conversation.last_send_at = last_send_at
            self._put_back(key, "turn.taken_over")
        return len(held)

    def _log(self, kind: EventKind, key: ConversationKey, turn_id: str, detail: str = "") -> None:
        self.position += 1
        self.happened.append(Event(self.position, self._clock.now(), kind, key, turn_id, str(detail)))
