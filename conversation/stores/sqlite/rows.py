"""Statements that several operations of the SQLite turn store share. All run inside a step's transaction."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stored import UnreadableRecordError, stored_delivery, stored_message
from conversation.stores.events import EventKind
from conversation.stores.port import SEEN_FOR, ClaimLostError, SessionLostError
from conversation.turn import Claim, Delivery, Reason, Turn


def known_session(db: sqlite3.Connection, session: str) -> float:
    """When the session's lease ends. Raises SessionLostError."""
    row = db.execute("SELECT expires_at FROM session WHERE id = ?", (session,)).fetchone()
    if row is None:
        raise SessionLostError("the session was reaped or closed")
    return float(row[0])


def may_claim(db: sqlite3.Connection, session: str, now: float) -> bool:
    return (
        db.execute(
            "SELECT 1 FROM session WHERE id = ? AND draining = 0 AND expires_at > ?", (session, now)
        ).fetchone()
        is not None
    )


def first_sight(db: sqlite3.Connection, turn_id: str, now: float) -> bool:
    """Remember the message; False if it was seen in the last 24 hours."""
    return (
        db.execute(
            "INSERT INTO seen VALUES (?1, ?2) ON CONFLICT (turn) DO UPDATE SET at = ?2 WHERE at <= ?3",
            (turn_id, now, now - SEEN_FOR),
        ).rowcount
        == 1
    )


def conversation(db: sqlite3.Connection, key: str) -> tuple[int, int, int, bool]:
    """(id, turns queued, seq of the next turn, told that it is full), creating the conversation if it is new."""
    row = db.execute(
        "SELECT id, queued, next_seq, told_full FROM conversation WHERE key = ?", (key,)
    ).fetchone()
    if row is not None:
        id_, queued, seq, told_full = row
        return id_, queued, seq, bool(told_full)
    created = db.execute("INSERT INTO conversation (key) VALUES (?)", (key,)).lastrowid
    assert created is not None
    return created, 0, 1, False


def owned(db: sqlite3.Connection, claim: Claim) -> tuple[int, int]:
    """(id, seq of the head) of a conversation that this claim still holds. Raises ClaimLostError."""
    row = db.execute(
        "SELECT id, (SELECT min(seq) FROM turn WHERE conversation = conversation.id) FROM conversation"
        " WHERE key = ? AND owner = ? AND epoch = ?",
        (str(claim.key), claim.session, claim.epoch),
    ).fetchone()
    if row is None:
        raise ClaimLostError("somebody else holds this conversation now")
    return row[0], row[1]


def owned_by(db: sqlite3.Connection, session: str | int) -> list[int]:
    running = db.execute("SELECT id FROM conversation WHERE owner = ? ORDER BY id", (session,))
    return [conversation for (conversation,) in running.fetchall()]


def already_completed(db: sqlite3.Connection, claim: Claim) -> bool:
    return (
        db.execute(
            "SELECT 1 FROM conversation WHERE key = ? AND completed_epoch = ?", (str(claim.key), claim.epoch)
        ).fetchone()
        is not None
    )


def make_ready(db: sqlite3.Connection, conversation: int) -> None:
    db.execute(
        "UPDATE conversation SET ready_order = (SELECT coalesce(max(ready_order), 0) + 1 FROM conversation"
        " WHERE ready_order IS NOT NULL) WHERE id = ?",
        (conversation,),
    )


def claim_ready(db: sqlite3.Connection, session: str, most: int, now: float) -> tuple[Claim, ...]:
    ready = db.execute(
        "SELECT id FROM conversation WHERE ready_order IS NOT NULL ORDER BY ready_order LIMIT ?", (most,)
    ).fetchall()
    if not ready or not may_claim(db, session, now):
        return ()
    claims = []
    for (conversation,) in ready:
        head = readable_head(db, conversation, now)
        if head is not None:
            take(db, conversation, *head, session, now)
            claims.append(current_claim(db, conversation))
    return tuple(claims)


def readable(record: bytes) -> InboundMessage | None:
    """The stored message, or None if it is damaged or of a version that this one does not know."""
    try:
        return stored_message.read(record)
    except UnreadableRecordError:
        return None


def readable_head(db: sqlite3.Connection, conversation: int, now: float) -> tuple[int, str] | None:
    """(seq, id) of the head turn. Turns whose message is damaged become dead letters on the way; None, and an
    idle conversation, if none is left.
    """
    first = "SELECT seq, id, message FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1"
    while (row := db.execute(first, (conversation,)).fetchone()) is not None:
        seq, turn_id, message = row
        if readable(message) is not None:
            return seq, turn_id
        db.execute("DELETE FROM turn WHERE conversation = ? AND seq = ?", (conversation, seq))
        db.execute("UPDATE conversation SET queued = queued - 1 WHERE id = ?", (conversation,))
        bury(db, conversation, message, Reason.MALFORMED, now)
        log(db, now, "turn.completed", conversation, turn_id, Reason.MALFORMED)
    db.execute("UPDATE conversation SET ready_order = NULL WHERE id = ?", (conversation,))
    return None


def bury(db: sqlite3.Connection, conversation: int, message: bytes, reason: str, now: float) -> None:
    db.execute(
        "INSERT INTO dead_letter (conversation, message, reason, at) VALUES (?, ?, ?, ?)",
        (conversation, message, reason, now),
    )


def take(db: sqlite3.Connection, conversation: int, seq: int, turn_id: str, session: str, now: float) -> int:
    """Give the conversation's head turn to the session; returns the claim's epoch."""
    (epoch,) = db.execute(
        "UPDATE conversation SET owner = ?, epoch = epoch + 1, ready_order = NULL WHERE id = ?"
        " RETURNING epoch",
        (session, conversation),
    ).fetchone()
    db.execute(
        "UPDATE turn SET attempt = attempt + 1 WHERE conversation = ? AND seq = ?", (conversation, seq)
    )
    log(db, now, "turn.claimed", conversation, turn_id)
    return int(epoch)


def current_claim(db: sqlite3.Connection, conversation: int) -> Claim:
    key, epoch, owner, taken_over_at = db.execute(
        "SELECT key, epoch, owner, taken_over_at FROM conversation WHERE id = ?", (conversation,)
    ).fetchone()
    message, admitted_at, refusal, attempt, crashes, failures, delivery = db.execute(
        "SELECT message, admitted_at, refusal, attempt, crashes, failures, delivery FROM turn"
        " WHERE conversation = ? ORDER BY seq LIMIT 1",
        (conversation,),
    ).fetchone()
    try:
        reason = Reason(refusal) if refusal else None
        progress = stored_delivery.read(delivery) if delivery else Delivery()
    except (UnreadableRecordError, ValueError):  # ValueError: a reason that a later version knows
        progress, reason = Delivery(), Reason.MALFORMED
    turn = Turn(stored_message.read(message), admitted_at, reason, attempt, crashes, failures, progress)
    return Claim(ConversationKey.parse(key), turn, epoch, str(owner), taken_over_at)


def put_back(db: sqlite3.Connection, conversation: int, event: EventKind, now: float) -> None:
    db.execute("UPDATE conversation SET owner = NULL WHERE id = ?", (conversation,))
    make_ready(db, conversation)
    (turn_id,) = db.execute(
        "SELECT id FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1", (conversation,)
    ).fetchone()
    log(db, now, event, conversation, turn_id)


def reap(db: sqlite3.Connection, session: int, now: float) -> int:
    """Take every claim from a session that is dead; returns how many it had."""
    db.execute("DELETE FROM session WHERE id = ?", (session,))
    held = owned_by(db, session)
    for conversation in held:
        db.execute("UPDATE conversation SET taken_over_at = ? WHERE id = ?", (now, conversation))
        db.execute(
            "UPDATE turn SET crashes = crashes + 1 WHERE conversation = ?1"
            " AND seq = (SELECT min(seq) FROM turn WHERE conversation = ?1)",
            (conversation,),
        )
        put_back(db, conversation, "turn.taken_over", now)
    return len(held)


def append_said(
    db: sqlite3.Connection, conversation: int, question: str, answer: str, keep_turns: int
) -> None:
    (seq,) = db.execute(
        "SELECT coalesce(max(seq), 0) + 1 FROM said WHERE conversation = ?", (conversation,)
    ).fetchone()
    db.execute("INSERT INTO said VALUES (?, ?, ?, ?)", (conversation, seq, question, answer))
    db.execute("DELETE FROM said WHERE conversation = ? AND seq <= ?", (conversation, seq - keep_turns))


def log(
    db: sqlite3.Connection, now: float, kind: EventKind, conversation: int, turn_id: str, detail: str = ""
) -> None:
    db.execute(
        "INSERT INTO event (at, kind, conversation, turn, detail) VALUES (?, ?, ?, ?, ?)",
        (now, kind, conversation, turn_id, detail),
    )
