"""The turn store as a plain model in memory: what every engine must agree with, and the ``memory:`` store.

It is written to be read: one conversation is one object, every operation is a few lines, nothing is clever.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from conversation.busy import Limits, WhenBusy
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import Command, InboundMessage
from conversation.outbound import SEND_TIMEOUT
from conversation.stores.events import Event, EventKind
from conversation.stores.memory.audit import MemoryAudit
from conversation.stores.memory.events import MemoryEvents
from conversation.stores.memory.line import Conversation, Line
from conversation.stores.memory.repairs import KeptForRepair
from conversation.stores.memory.seen import Seen
from conversation.stores.memory.sessions import Sessions
from conversation.stores.memory.stopping import Stopping
from conversation.stores.memory.transcripts import MemoryTranscripts
from conversation.stores.port import Admission, ClaimLostError, SessionLostError, Stopped
from conversation.stores.retention import Retention
from conversation.stores.transcripts import Said
from conversation.turn import Claim, DeadLetter, Delivery, Final, Outcome, Reason, Repair, Turn


class ReferenceTurns:
    """Keeps turns and dead letters of one process's life, and appends to what else is kept."""

    def __init__(
        self,
        clock: Clock,
        retention: Retention,
        transcripts: MemoryTranscripts,
        events: MemoryEvents,
        audit: MemoryAudit,
    ) -> None:
        self._clock = clock
        self._retention = retention
        self._transcripts = transcripts
        self._events = events
        self._audit = audit
        self.conversations: dict[ConversationKey, Conversation] = {}
        self.dead: list[DeadLetter] = []
        self.line = self._line = Line(self.conversations)
        self._stopping = Stopping(self.conversations, events)
        self._repairs = KeptForRepair(clock)
        self._sessions = Sessions(clock)
        self._seen = Seen(clock)

    @property
    def happened(self) -> Sequence[Event]:
        return self._events.happened

    async def open_session(self) -> str:
        return self._sessions.open()

    async def take_over(self, session: str) -> int:
        self._sessions.known(session)
        now = self._clock.now()
        return sum(self._reap(other, now) for other in self._sessions.others(session))

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        self._sessions.renew(session)
        known = {(claim.key, claim.epoch) for claim in held}
        return tuple(
            self._current_claim(key)
            for key, conversation in self.conversations.items()
            if conversation.owner == session
            and (conversation.stopped or (key, conversation.epoch) not in known)
        )

    async def drain(self, session: str) -> None:
        self._sessions.known(session).draining = True

    async def close_session(self, session: str) -> None:
        for key, conversation in self.conversations.items():
            if conversation.owner == session:
                conversation.last_send_at = self._clock.now()
                self._put_back(key, "turn.released")
        self._sessions.close(session)

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
        if not self._seen.is_new(message.turn_id):
            return Admission("duplicate")
        self._line.limit(message.key.bot, limits)
        conversation = self.conversations.setdefault(message.key, Conversation())
        joins = when_busy != "queue" and refusal is None and not message.stands_alone
        merged = joins and self._stopping.merge(message, limits.queued)
        if not merged and len(conversation.queue) > limits.queued:
            self._log("message.refused", message.key, message.turn_id, Reason.QUEUE_FULL)
            notice_due, conversation.told_full = not conversation.told_full, True
            return Admission("queue_full", notice_due=notice_due)
        conversation.active_at = self._clock.now()
        stopped = self._stopping.interrupt(message.key) if joins and when_busy == "interrupt" else None
        if merged:
            return Admission("accepted", stopped=stopped)
        conversation.told_full = False
        was_idle = not conversation.queue
        conversation.queue.append(Turn(message.turn_id, (message,), self._clock.now(), refusal))
        self._log("message.admitted", message.key, message.turn_id, refusal or "")
        if not was_idle:
            return Admission("accepted", stopped=stopped)
        self._line.join(message.key)
        if may_claim and self._sessions.may_claim(session) and self._line.may_go(message.key):
            return Admission("accepted", self._claim(message.key, session))
        return Admission("accepted")

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> Stopped | None:
        return self._stopping.stop_head(key, asked_at) if self._seen.is_new(request) else None

    async def take_back(self, bot: str, turn_id: str) -> Stopped | None:
        found = self._stopping.place_of(bot, turn_id)
        if found is None:
            self._seen.is_new(turn_id)
            return None
        return self._stopping.take_back(*found, turn_id)

    async def edit(self, message: InboundMessage) -> bool:
        found = self._stopping.place_of(message.key.bot, message.turn_id)
        return found is not None and self._stopping.edit(*found, message)

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        if self._sessions.has_expired(session):
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
        person, outcome = turn.message.person, final.outcome
        if outcome.kind == "obeyed" and turn.refusal is not None:
            outcome = Outcome("cancelled", turn.refusal)  # it was stopped after its process had looked
        if final.answer and keep_texts:
            said = Said(turn.id, person, now, claim.turn.question, final.answer)
            self._transcripts.append(claim.key, said, keep_turns)
        if outcome.kind == "obeyed" and turn.message.command is not None:
            self._obey(claim.key, turn.message.command)
        if outcome.kind == "dead":
            assert outcome.reason is not None
            messages = turn.messages if keep_texts else ()
            self.dead.append(DeadLetter(turn.id, claim.key, person, messages, outcome.reason, now))
        self._log("turn.completed", claim.key, turn.id, outcome.reason or outcome.kind)
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
        expired = self._sessions.to_reap(limit)
        taken = sum(self._reap(name, ended_at - SEND_TIMEOUT) for name, ended_at in expired)
        due = sorted(
            (conversation.due_at, str(key), key)
            for key, conversation in self.conversations.items()
            if conversation.due_at is not None and conversation.due_at <= now
        )
        for _, _, key in due[:limit]:
            self.conversations[key].due_at = None
            self._line.join(key)
        self._seen.forget(limit)
        self._repairs.forget(limit)
        old = now - self._retention.transcripts
        self._transcripts.forget(old, limit)
        old_letters = [letter for letter in self.dead if letter.at <= old][:limit]
        self.dead = [letter for letter in self.dead if letter not in old_letters]
        self._events.forget(now - self._retention.events, limit)
        self._audit.forget(now - self._retention.audit, limit)
        return bool(taken or due)

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

    def _obey(self, key: ConversationKey, command: Command) -> None:
        if command.kind != "clear":
            self.conversations[key].agent = command.agent if command.kind == "bind" else ""
        if command.kind != "bind":
            self._transcripts.clear(key)

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
        if not self._sessions.may_claim(session):
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
        self._sessions.close(session)
        held = [key for key, conversation in self.conversations.items() if conversation.owner == session]
        for key in held:
            conversation = self.conversations[key]
            head = conversation.queue[0]
            conversation.queue[0] = replace(head, crashes=head.crashes + 1)
            conversation.last_send_at = last_send_at
            self._put_back(key, "turn.taken_over")
        return len(held)

    def _log(self, kind: EventKind, key: ConversationKey, turn_id: str, detail: str = "") -> None:
        self._events.log(kind, key, turn_id, detail)
