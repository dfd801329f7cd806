"""Statements that several operations of the SQLite turn store share. All run inside a step's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from conversation.keys import ConversationKey
from conversation.messages import Command
from conversation.stored import read_turn
from conversation.stores.events import EventKind
from conversation.stores.port import SEEN_FOR, ClaimLostError, SessionLostError
from conversation.stores.sqlite import events, line, transcripts
from conversation.turn import Claim, Turn


@dataclass(frozen=True, slots=True)
class Conversation:
    """As it was before a message came. ``seq`` is that of the next turn."""

    id: int
    queued: int
    seq: int
    told_full: bool
    agent: str
    is_new: bool = False


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


def first_sight(db: sqlite3.Connection, turn_id: str, now: float, conversation: int | None = None) -> bool:
    """Remember the message and where it is; False if it was seen in the last 24 hours."""
    return (
        db.execute(
            "INSERT INTO seen VALUES (?1, ?2, ?4)"
            " ON CONFLICT (turn) DO UPDATE SET at = ?2, conversation = coalesce(?4, conversation) WHERE at <= ?3",
            (turn_id, now, now - SEEN_FOR, conversation),
        ).rowcount
        == 1
    )


def conversation(db: sqlite3.Connection, key: str, bot: int, person: str, now: float) -> Conversation:
    """One that is new is created with its first turn counted."""
    row = db.execute(
        "SELECT id, queued, next_seq, told_full, agent FROM conversation WHERE key = ?", (key,)
    ).fetchone()
    if row is not None:
        return Conversation(*row)
    created = db.execute(
        "INSERT INTO conversation (key, bot, person, queued, next_seq, active_at) VALUES (?, ?, ?, 1, 2, ?)",
        (key, bot, person, now),
    ).lastrowid
    assert created is not None
    return Conversation(created, 0, 1, told_full=False, agent="", is_new=True)


def is_first_sight(db: sqlite3.Connection, conversation: Conversation, turn_id: str, now: float) -> bool:
    """As ``first_sight``. A conversation that was created for a message that was seen before goes again."""
    first = first_sight(db, turn_id, now, conversation.id)
    if not first and conversation.is_new:
        db.execute("DELETE FROM conversation WHERE id = ?", (conversation.id,))
    return first


def enqueue(
    db: sqlite3.Connection,
    conversation: Conversation,
    turn_id: str,
    person: str,
    record: bytes,
    is_command: bool,
    refusal: str | None,
    now: float,
) -> None:
    db.execute(
        "INSERT INTO turn (conversation, seq, id, person, message, command, admitted_at, refusal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (conversation.id, conversation.seq, turn_id, person, record, is_command, now, refusal),
    )
    if not conversation.is_new:
        db.execute(
            "UPDATE conversation SET queued = queued + 1, next_seq = next_seq + 1, told_full = 0,"
            " active_at = ?, person = iif(queued, person, ?) WHERE id = ?",
            (now, person, conversation.id),
        )


def owned(db: sqlite3.Connection, claim: Claim) -> tuple[int, int, str]:
    """(id, seq of the head, person) of a conversation that this claim still holds. Raises ClaimLostError."""
    row = db.execute(
        "SELECT id, (SELECT min(seq) FROM turn WHERE conversation = conversation.id), person FROM conversation"
        " WHERE key = ? AND owner = ? AND epoch = ?",
        (str(claim.key), claim.session, claim.epoch),
    ).fetchone()
    if row is None:
        raise ClaimLostError("somebody else holds this conversation now")
    return row[0], row[1], row[2]


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


def claim_next(db: sqlite3.Connection, session: str, now: float) -> Claim | None:
    if not may_claim(db, session, now):
        return None
    conversation = line.next_in_line(db)
    if conversation is None:
        return None
    line.leave(db, conversation)
    seq, turn_id = db.execute(
        "SELECT seq, id FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1", (conversation,)
    ).fetchone()
    take(db, conversation, seq, turn_id, session, now)
    return current_claim(db, conversation)


def take(db: sqlite3.Connection, conversation: int, seq: int, turn_id: str, session: str, now: float) -> int:
    """Give the conversation's head turn to the session; returns the claim's epoch."""
    (epoch,) = db.execute(
        "UPDATE conversation SET owner = ?, epoch = epoch + 1 WHERE id = ? RETURNING epoch",
        (session, conversation),
    ).fetchone()
    db.execute(
        "UPDATE turn SET attempt = attempt + 1 WHERE conversation = ? AND seq = ?", (conversation, seq)
    )
    line.serve(db, conversation)
    events.log(db, now, "turn.claimed", conversation, turn_id)
    return int(epoch)


def current_claim(db: sqlite3.Connection, conversation: int) -> Claim:
    key, epoch, owner, last_send_at, agent = db.execute(
        "SELECT key, epoch, owner, last_send_at, agent FROM conversation WHERE id = ?", (conversation,)
    ).fetchone()
    parsed = ConversationKey.parse(key)
    (head,) = turns(db, conversation, parsed, 1)
    return Claim(parsed, head, epoch, str(owner), last_send_at, agent)


def turns(db: sqlite3.Connection, conversation: int, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
    """The first turns of a conversation's queue."""
    found = db.execute(
        "SELECT id, message, admitted_at, refusal, attempt, crashes, failures, delivery FROM turn"
        " WHERE conversation = ? ORDER BY seq LIMIT ?",
        (conversation, limit),
    ).fetchall()
    return tuple(read_turn(key, *row) for row in found)


def let_go(db: sqlite3.Connection, conversation: int) -> None:
    """Nobody runs the head turn any more."""
    (person,) = db.execute(
        "UPDATE conversation SET owner = NULL, stopped = 0 WHERE id = ? RETURNING person", (conversation,)
    ).fetchone()
    line.unpark(db, person)


def put_back(db: sqlite3.Connection, conversation: int, event: EventKind, now: float) -> None:
    let_go(db, conversation)
    line.make_ready(db, conversation)
    (turn_id,) = db.execute(
        "SELECT id FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1", (conversation,)
    ).fetchone()
    events.log(db, now, event, conversation, turn_id)


def reap(db: sqlite3.Connection, session: int, last_send_at: float, now: float) -> int:
    """Take every claim from a session that is dead; returns how many it had."""
    db.execute("DELETE FROM session WHERE id = ?", (session,))
    held = owned_by(db, session)
    for conversation in held:
        db.execute("UPDATE conversation SET last_send_at = ? WHERE id = ?", (last_send_at, conversation))
        db.execute(
            "UPDATE turn SET crashes = crashes + 1 WHERE conversation = ?1"
            " AND seq = (SELECT min(seq) FROM turn WHERE conversation = ?1)",
            (conversation,),
        )
        put_back(db, conversation, "turn.taken_over", now)
    return len(held)


def obey(db: sqlite3.Connection, conversation: int, command: Command) -> None:
    if command.kind != "clear":
        agent = command.agent if command.kind == "bind" else ""
        db.execute("UPDATE conversation SET agent = ? WHERE id = ?", (agent, conversation))
    if command.kind != "bind":
        transcripts.clear(db, conversation)
