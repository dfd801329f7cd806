"""Turns that have not ended are merged, stopped, taken back. All statements run inside a step's transaction."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stored import has_final, readable, with_edit, without_message
from conversation.stores.port import Stopped
from conversation.stores.sqlite import events
from conversation.turn import Reason


def cancel(db: sqlite3.Connection, key: str, asked_at: float, now: float) -> Stopped | None:
    """Stop the head turn of a conversation, if its newest message was sent before that was asked."""
    row = db.execute(
        "SELECT conversation, seq, message FROM turn"
        " WHERE conversation = (SELECT id FROM conversation WHERE key = ?) ORDER BY seq LIMIT 1",
        (key,),
    ).fetchone()
    if row is None:
        return None
    conversation, seq, record = row
    messages = readable(record)
    if messages and messages[-1].sent_at > asked_at:
        return None
    return _stop(db, conversation, seq, Reason.CANCELLED, now)


def interrupt(db: sqlite3.Connection, conversation: int, now: float) -> Stopped | None:
    """Stop the reply that has begun. What a command does is not worth stopping."""
    seq, attempt, is_command = db.execute(
        "SELECT seq, attempt, command FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1", (conversation,)
    ).fetchone() or (0, 0, False)
    return _stop(db, conversation, seq, Reason.SUPERSEDED, now) if attempt and not is_command else None


def take_back(db: sqlite3.Connection, turn_id: str, now: float) -> Stopped | None:
    """Take one message, which was seen, out of its turn; the turn is refused if it was the only one."""
    (conversation,) = db.execute("SELECT conversation FROM seen WHERE turn = ?", (turn_id,)).fetchone()
    for seq, attempt, record in db.execute(
        "SELECT seq, attempt, message FROM turn WHERE conversation = ? ORDER BY seq", (conversation,)
    ).fetchall():
        others = without_message(record, turn_id)
        if others == record:
            continue
        if not others:
            return _stop(db, conversation, seq, Reason.TAKEN_BACK, now)
        return None if attempt else _drop_message(db, conversation, seq, turn_id, others, now)
    return None


def edit(db: sqlite3.Connection, message: InboundMessage, now: float) -> bool:
    """Replace one message, if its turn waits."""
    seen = db.execute("SELECT conversation FROM seen WHERE turn = ?", (message.turn_id,)).fetchone()
    if seen is None:
        return False
    for seq, record in db.execute(
        "SELECT seq, message FROM turn WHERE conversation = ?"
        " AND attempt = 0 AND refusal IS NULL AND NOT command ORDER BY seq",
        seen,
    ).fetchall():
        edited = with_edit(record, message)
        if edited is None:
            continue
        db.execute("UPDATE turn SET message = ? WHERE conversation = ? AND seq = ?", (edited, *seen, seq))
        events.log(db, now, "message.edited", seen[0], message.turn_id)
        return True
    return False


def _stop(db: sqlite3.Connection, conversation: int, seq: int, reason: Reason, now: float) -> Stopped | None:
    """Refuse a turn, unless it is refused already or its final text is stored."""
    turn_id, refusal, delivery = db.execute(
        "SELECT id, refusal, delivery FROM turn WHERE conversation = ? AND seq = ?", (conversation, seq)
    ).fetchone()
    if refusal is not None or (delivery and has_final(delivery)):
        return None
    db.execute("UPDATE turn SET refusal = ? WHERE conversation = ? AND seq = ?", (reason, conversation, seq))
    key, epoch, owner, first = db.execute(
        "SELECT key, epoch, owner, (SELECT min(seq) FROM turn WHERE conversation = ?1)"
        " FROM conversation WHERE id = ?1",
        (conversation,),
    ).fetchone()
    running = owner is not None and seq == first
    if running:
        db.execute("UPDATE conversation SET stopped = 1 WHERE id = ?", (conversation,))
    events.log(db, now, "turn.stopped", conversation, turn_id, reason)
    return Stopped(ConversationKey.parse(key), epoch, str(owner) if running else "", reason)


def merge(db: sqlite3.Connection, conversation: int, person: str, record: bytes, most: int) -> str | None:
    """Let a message join the last turn of its conversation; that turn's id, None if it may not."""
    row = db.execute(
        "UPDATE turn SET message = CAST(message || x'0a' || ?1 AS BLOB), messages = messages + 1"
        " WHERE conversation = ?2"
        " AND seq = (SELECT max(seq) FROM turn WHERE conversation = ?2)"
        " AND attempt = 0 AND refusal IS NULL AND NOT command AND person = ?3 AND messages < ?4 RETURNING id",
        (record, conversation, person, most),
    ).fetchone()
    return row[0] if row else None


def _drop_message(
    db: sqlite3.Connection, conversation: int, seq: int, turn_id: str, others: bytes, now: float
) -> Stopped:
    """Leave one message out of a turn that has not begun."""
    db.execute(
        "UPDATE turn SET message = ?, messages = messages - 1 WHERE conversation = ? AND seq = ?",
        (others, conversation, seq),
    )
    events.log(db, now, "message.taken_back", conversation, turn_id)
    key, epoch = db.execute("SELECT key, epoch FROM conversation WHERE id = ?", (conversation,)).fetchone()
    return Stopped(ConversationKey.parse(key), epoch, "", Reason.TAKEN_BACK)
