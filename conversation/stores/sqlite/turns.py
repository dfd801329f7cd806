"""The turn store in SQLite. Each operation is one step of the writer, so it is atomic by itself.

A step that refuses (ClaimLostError, SessionLostError) does so before its first write. ``rows.py`` holds the
statements that several operations share.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from conversation.busy import Limits, WhenBusy
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.outbound import SEND_TIMEOUT
from conversation.stored import known_reason, stored_delivery, write_messages
from conversation.stores.port import (
    GRACE,
    LEASE,
    OUTAGE,
    REPAIR_AGAIN,
    REPAIRABLE_FOR,
    Admission,
    SessionLostError,
    Stopped,
)
from conversation.stores.retention import Retention
from conversation.stores.sqlite import (
    dead_letters,
    events,
    forgetting,
    line,
    repairs,
    rows,
    stopping,
    transcripts,
)
from conversation.stores.sqlite.writer import Writer
from conversation.turn import Claim, DeadLetter, Delivery, Final, Outcome, Reason, Repair, Turn


class SqliteTurns:
    def __init__(self, writer: Writer, clock: Clock, retention: Retention) -> None:
        self._writer = writer
        self._clock = clock
        self._retention = retention
        # Not in the file, which would be written each second: the only process that ticks is this one.
        self._ticked_at: float | None = None
        self._grace_until = 0.0
        self._looked_at = 0

    async def open_session(self) -> str:
        def step(db: sqlite3.Connection) -> str:
            expires_at = self._clock.now() + LEASE
            return str(
                db.execute("INSERT INTO session (expires_at) VALUES (?)", (expires_at,)).lastrowid,
            )

        return await self._writer.run(step)

    async def take_over(self, session: str) -> int:
        def step(db: sqlite3.Connection) -> int:
            rows.known_session(db, session)
            others = db.execute("SELECT id FROM session WHERE id <> ? ORDER BY id", (session,)).fetchall()
            now = self._clock.now()
            return sum(rows.reap(db, other, now, now) for (other,) in others)

        return await self._writer.run(step)

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        known = {(str(claim.key), claim.epoch) for claim in held}

        def step(db: sqlite3.Connection) -> tuple[Claim, ...]:
            rows.known_session(db, session)
            db.execute("UPDATE session SET expires_at = ? WHERE id = ?", (self._clock.now() + LEASE, session))
            running = db.execute(
                "SELECT id, key, epoch, stopped FROM conversation WHERE owner = ? ORDER BY id", (session,)
            ).fetchall()
            return tuple(
                rows.current_claim(db, conversation)
                for conversation, key, epoch, stopped in running
                if stopped or (key, epoch) not in known
            )

        return await self._writer.run(step)

    async def drain(self, session: str) -> None:
        def step(db: sqlite3.Connection) -> None:
            rows.known_session(db, session)
            db.execute("UPDATE session SET draining = 1 WHERE id = ?", (session,))

        await self._writer.run(step)

    async def close_session(self, session: str) -> None:
        def step(db: sqlite3.Connection) -> None:
            now = self._clock.now()
            for conversation in rows.owned_by(db, session):
                db.execute("UPDATE conversation SET last_send_at = ? WHERE id = ?", (now, conversation))
                rows.put_back(db, conversation, "turn.released", now)
            db.execute("DELETE FROM session WHERE id = ?", (session,))

        await self._writer.run(step)

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
        turn_id, key, person, record = (
            message.turn_id,
            str(message.key),
            message.person,
            write_messages((message,)),
        )
        is_command = message.stands_alone

        def step(db: sqlite3.Connection) -> Admission:
            now = self._clock.now()
            bot = line.bot(db, message.key.bot, limits)
            conversation = rows.conversation(db, key, bot, person, now)
            if not rows.is_first_sight(db, conversation, turn_id, now):
                return Admission("duplicate")
            joins = when_busy != "queue" and refusal is None and not is_command
            joined = stopped = None
            if conversation.queued and joins:
                joined = stopping.merge(db, conversation.id, person, record, limits.queued)
            if joined is not None:
                events.log(db, now, "message.merged", conversation.id, turn_id, joined)
            elif conversation.queued > limits.queued:
                db.execute("UPDATE conversation SET told_full = 1 WHERE id = ?", (conversation.id,))
                events.log(db, now, "message.refused", conversation.id, turn_id, Reason.QUEUE_FULL)
                return Admission("queue_full", notice_due=not conversation.told_full)
            if when_busy == "interrupt" and joins:
                stopped = stopping.interrupt(db, conversation.id, now)
            if joined is not None:
                db.execute("UPDATE conversation SET active_at = ? WHERE id = ?", (now, conversation.id))
                return Admission("accepted", stopped=stopped)
            rows.enqueue(db, conversation, turn_id, person, record, is_command, refusal, now)
            events.log(db, now, "message.admitted", conversation.id, turn_id, refusal or "")
            if conversation.queued:
                return Admission("accepted", stopped=stopped)
            if may_claim and rows.may_claim(db, session, now) and line.within_limits(db, bot, person, limits):
                epoch = rows.take(db, conversation.id, conversation.seq, turn_id, session, now)
                turn = Turn(turn_id, (message,), now, refusal, attempt=1)
                return Admission(
                    "accepted", Claim(message.key, turn, epoch, session, agent=conversation.agent)
                )
            line.make_ready(db, conversation.id)
            return Admission("accepted")

        return await self._writer.run(step)

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> Stopped | None:
        def step(db: sqlite3.Connection) -> Stopped | None:
            now = self._clock.now()
            return (
                stopping.cancel(db, str(key), asked_at, now) if rows.first_sight(db, request, now) else None
            )

        return await self._writer.run(step)

    async def take_back(self, bot: str, turn_id: str) -> Stopped | None:  # noqa: ARG002 - a file has no partitions
        def step(db: sqlite3.Connection) -> Stopped | None:
            now = self._clock.now()
            return None if rows.first_sight(db, turn_id, now) else stopping.take_back(db, turn_id, now)

        return await self._writer.run(step)

    async def edit(self, message: InboundMessage) -> bool:
        def step(db: sqlite3.Connection) -> bool:
            return stopping.edit(db, message, self._clock.now())

        return await self._writer.run(step)

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        def step(db: sqlite3.Connection) -> tuple[Claim, ...]:
            now = self._clock.now()
            if rows.known_session(db, session) <= now:
                raise SessionLostError("the lease has expired: renew it first")
            claims: list[Claim] = []
            while len(claims) < most and (claim := rows.claim_next(db, session, now)) is not None:
                claims.append(claim)
            return tuple(claims)

        return await self._writer.run(step)

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        record = stored_delivery.write(delivery)

        def step(db: sqlite3.Connection) -> None:
            conversation, seq, _ = rows.owned(db, claim)
            db.execute(
                "UPDATE turn SET delivery = ? WHERE conversation = ? AND seq = ?", (record, conversation, seq)
            )

        await self._writer.run(step)

    async def complete(
        self,
        claim: Claim,
        final: Final,
        *,
        keep_turns: int,
        keep_texts: bool = True,
        repair_after: float | None = None,
    ) -> Claim | None:
        answer, command = final.answer if keep_texts else "", claim.turn.message.command

        def step(db: sqlite3.Connection) -> Claim | None:
            now = self._clock.now()
            if rows.already_completed(db, claim):
                return None
            conversation, seq, person = rows.owned(db, claim)
            if repair_after is not None:
                repairs.keep(db, conversation, seq, now + repair_after, now + REPAIRABLE_FOR)
            record, refusal = db.execute(
                "DELETE FROM turn WHERE conversation = ? AND seq = ? RETURNING message, refusal",
                (conversation, seq),
            ).fetchone()
            outcome = final.outcome
            if (
                outcome.kind == "obeyed" and refusal is not None
            ):  # it was stopped after its process had looked
                outcome = Outcome("cancelled", known_reason(refusal))
            (queued,) = db.execute(
                "UPDATE conversation SET owner = NULL, last_send_at = NULL, completed_epoch = epoch, stopped = 0,"
                " strays = '', queued = queued - 1, person = coalesce("
                "(SELECT person FROM turn WHERE conversation = ?1 ORDER BY seq LIMIT 1), '')"
                " WHERE id = ?1 RETURNING queued",
                (conversation,),
            ).fetchone()
            line.unpark(db, person)
            if answer:
                transcripts.append(db, conversation, claim.turn, person, answer, keep_turns, now)
            if outcome.kind == "obeyed" and command is not None:
                rows.obey(db, conversation, command)
            if outcome.kind == "dead":
                assert outcome.reason is not None
                letter = record if keep_texts else b""
                dead_letters.bury(db, conversation, claim.turn.id, person, letter, outcome.reason, now)
            detail = outcome.reason or outcome.kind
            events.log(db, now, "turn.completed", conversation, claim.turn.id, detail)
            if queued:
                line.make_ready(db, conversation)
            return rows.claim_next(db, claim.session, now)

        return await self._writer.run(step)

    async def retry(self, claim: Claim, delay: float) -> None:
        def step(db: sqlite3.Connection) -> None:
            now = self._clock.now()
            conversation, seq, _ = rows.owned(db, claim)
            db.execute(
                "UPDATE turn SET failures = failures + 1 WHERE conversation = ? AND seq = ?",
                (conversation, seq),
            )
            db.execute(
                "UPDATE conversation SET last_send_at = NULL, due_at = ? WHERE id = ?",
                (now + delay, conversation),
            )
            rows.let_go(db, conversation)
            events.log(db, now, "turn.retried", conversation, claim.turn.id)

        await self._writer.run(step)

    async def tick(self, limit: int) -> bool:
        def step(db: sqlite3.Connection) -> bool:
            now = self._clock.now()
            if self._ticked_at is not None and now - self._ticked_at > OUTAGE:
                self._grace_until = now + GRACE
            self._ticked_at = now
            taken = 0
            if now >= self._grace_until:
                expired = db.execute(
                    "SELECT id, expires_at FROM session WHERE expires_at <= ? ORDER BY id LIMIT ?",
                    (now, limit),
                ).fetchall()
                taken = sum(
                    rows.reap(db, session, ended_at - SEND_TIMEOUT, now) for session, ended_at in expired
                )
            due = db.execute(
                "SELECT id FROM conversation WHERE due_at <= ? ORDER BY due_at, key LIMIT ?", (now, limit)
            ).fetchall()
            for (conversation,) in due:
                db.execute("UPDATE conversation SET due_at = NULL WHERE id = ?", (conversation,))
                line.make_ready(db, conversation)
            db.execute("DELETE FROM repair WHERE until <= ?", (now,))
            forgetting.old(db, self._retention, now, limit)
            self._looked_at = forgetting.idle_conversations(db, self._looked_at, now)
            return bool(taken or due)

        return await self._writer.run(step)

    async def due_repairs(self, limit: int) -> tuple[Repair, ...]:
        now = self._clock.now()
        return await self._writer.run(lambda db: repairs.due(db, limit, now, now + REPAIR_AGAIN))

    async def repaired(self, repair: Repair) -> None:
        await self._writer.run(lambda db: repairs.done(db, repair.turn.id, repair.strays))

    async def suspect(self, claim: Claim, after: float, stray: str = "") -> None:
        await self._writer.run(lambda db: repairs.suspect(db, claim, stray, self._clock.now() + after))

    async def epoch_if_idle(self, key: ConversationKey) -> int | None:
        def step(db: sqlite3.Connection) -> int | None:
            row = db.execute("SELECT queued, epoch FROM conversation WHERE key = ?", (str(key),)).fetchone()
            queued, epoch = row or (0, 0)
            return None if queued else int(epoch)

        return await self._writer.run(step)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        return await self._writer.run(dead_letters.kept)

    async def drop_dead_letter(self, id: str) -> bool:
        return await self._writer.run(lambda db: dead_letters.drop(db, id))
