"""The turn store in SQLite. Each operation is one step of the writer, so it is atomic by itself.

A step that refuses (ClaimLostError, SessionLostError) does so before its first write. ``rows.py`` holds the
statements that several operations share.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stored import stored_delivery, stored_message
from conversation.stores.port import LEASE, SEEN_FOR, Admission, DeadLetter, SessionLostError
from conversation.stores.sqlite import rows
from conversation.stores.sqlite.writer import Writer
from conversation.turn import Claim, Delivery, Final, Reason, Turn


class SqliteTurns:
    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

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
            return sum(rows.reap(db, other, self._clock.now()) for (other,) in others)

        return await self._writer.run(step)

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        known = {(str(claim.key), claim.epoch) for claim in held}

        def step(db: sqlite3.Connection) -> tuple[Claim, ...]:
            rows.known_session(db, session)
            db.execute("UPDATE session SET expires_at = ? WHERE id = ?", (self._clock.now() + LEASE, session))
            running = db.execute(
                "SELECT id, key, epoch FROM conversation WHERE owner = ? ORDER BY id", (session,)
            ).fetchall()
            return tuple(
                rows.current_claim(db, conversation)
                for conversation, key, epoch in running
                if (key, epoch) not in known
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
                db.execute("UPDATE conversation SET taken_over_at = ? WHERE id = ?", (now, conversation))
                rows.put_back(db, conversation, "turn.released", now)
            db.execute("DELETE FROM session WHERE id = ?", (session,))

        await self._writer.run(step)

    async def admit(
        self,
        message: InboundMessage,
        *,
        session: str,
        may_claim: bool,
        max_queued: int,
        refusal: Reason | None = None,
    ) -> Admission:
        turn_id, key, record = message.turn_id, str(message.key), stored_message.write(message)

        def step(db: sqlite3.Connection) -> Admission:
            now = self._clock.now()
            if not rows.first_sight(db, turn_id, now):
                return Admission("duplicate")
            conversation, queued, seq, told_full = rows.conversation(db, key)
            if queued > max_queued:
                db.execute("UPDATE conversation SET told_full = 1 WHERE id = ?", (conversation,))
                rows.log(db, now, "message.refused", conversation, turn_id, Reason.QUEUE_FULL)
                return Admission("queue_full", notice_due=not told_full)
            db.execute(
                "INSERT INTO turn (conversation, seq, id, message, admitted_at, refusal)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (conversation, seq, turn_id, record, now, refusal),
            )
            rows.log(db, now, "message.admitted", conversation, turn_id, refusal or "")
            if queued:
                db.execute(
                    "UPDATE conversation SET queued = queued + 1, next_seq = next_seq + 1, told_full = 0"
                    " WHERE id = ?",
                    (conversation,),
                )
                return Admission("accepted")
            db.execute(
                "UPDATE conversation SET queued = 1, next_seq = next_seq + 1, told_full = 0 WHERE id = ?",
                (conversation,),
            )
            if may_claim and rows.may_claim(db, session, now):
                epoch = rows.take(db, conversation, seq, turn_id, session, now)
                turn = Turn(message, now, refusal, attempt=1)
                return Admission("accepted", Claim(message.key, turn, epoch, session))
            rows.make_ready(db, conversation)
            return Admission("accepted")

        return await self._writer.run(step)

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        def step(db: sqlite3.Connection) -> tuple[Claim, ...]:
            now = self._clock.now()
            if rows.known_session(db, session) <= now:
                raise SessionLostError("the lease has expired: renew it first")
            return rows.claim_ready(db, session, most, now)

        return await self._writer.run(step)

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        record = stored_delivery.write(delivery)

        def step(db: sqlite3.Connection) -> None:
            conversation, seq = rows.owned(db, claim)
            db.execute(
                "UPDATE turn SET delivery = ? WHERE conversation = ? AND seq = ?", (record, conversation, seq)
            )

        await self._writer.run(step)

    async def complete(self, claim: Claim, final: Final, *, keep_turns: int) -> Claim | None:
        outcome, answer = final.outcome, final.answer

        def step(db: sqlite3.Connection) -> Claim | None:
            now = self._clock.now()
            if rows.already_completed(db, claim):
                return None
            conversation, seq = rows.owned(db, claim)
            db.execute("DELETE FROM turn WHERE conversation = ? AND seq = ?", (conversation, seq))
            (queued,) = db.execute(
                "UPDATE conversation SET owner = NULL, taken_over_at = NULL, completed_epoch = epoch,"
                " queued = queued - 1 WHERE id = ? RETURNING queued",
                (conversation,),
            ).fetchone()
            if answer:
                rows.append_said(db, conversation, claim.turn.message.text, answer, keep_turns)
            if outcome.kind == "dead":
                assert outcome.reason is not None
                message = stored_message.write(claim.turn.message)
                rows.bury(db, conversation, message, outcome.reason, now)
            detail = outcome.reason or outcome.kind
            rows.log(db, now, "turn.completed", conversation, claim.turn.id, detail)
            if queued:
                rows.make_ready(db, conversation)
            return next(iter(rows.claim_ready(db, claim.session, 1, now)), None)

        return await self._writer.run(step)

    async def retry(self, claim: Claim, delay: float) -> None:
        def step(db: sqlite3.Connection) -> None:
            now = self._clock.now()
            conversation, seq = rows.owned(db, claim)
            db.execute(
                "UPDATE turn SET failures = failures + 1 WHERE conversation = ? AND seq = ?",
                (conversation, seq),
            )
            db.execute(
                "UPDATE conversation SET owner = NULL, taken_over_at = NULL, due_at = ? WHERE id = ?",
                (now + delay, conversation),
            )
            rows.log(db, now, "turn.retried", conversation, claim.turn.id)

        await self._writer.run(step)

    async def release(self, claim: Claim) -> None:
        def step(db: sqlite3.Connection) -> None:
            conversation, _ = rows.owned(db, claim)
            rows.put_back(db, conversation, "turn.released", self._clock.now())

        await self._writer.run(step)

    async def tick(self, limit: int) -> bool:
        def step(db: sqlite3.Connection) -> bool:
            now = self._clock.now()
            expired = db.execute(
                "SELECT id FROM session WHERE expires_at <= ? ORDER BY id LIMIT ?", (now, limit)
            ).fetchall()
            taken = sum(rows.reap(db, session, now) for (session,) in expired)
            due = db.execute(
                "SELECT id FROM conversation WHERE due_at <= ? ORDER BY due_at, key LIMIT ?", (now, limit)
            ).fetchall()
            for (conversation,) in due:
                db.execute("UPDATE conversation SET due_at = NULL WHERE id = ?", (conversation,))
                rows.make_ready(db, conversation)
            db.execute(
                "DELETE FROM seen WHERE turn IN (SELECT turn FROM seen WHERE at <= ? LIMIT ?)",
                (now - SEEN_FOR, limit),
            )
            return bool(taken or due)

        return await self._writer.run(step)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        def step(db: sqlite3.Connection) -> tuple[DeadLetter, ...]:
            letters = db.execute(
                "SELECT key, message, reason, at FROM dead_letter"
                " JOIN conversation ON conversation.id = dead_letter.conversation ORDER BY dead_letter.id"
            )
            return tuple(
                DeadLetter(ConversationKey.parse(key), rows.readable(message), Reason(reason), at)
                for key, message, reason, at in letters
            )

        return await self._writer.run(step)
