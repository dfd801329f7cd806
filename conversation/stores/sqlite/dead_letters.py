"""Turns that could not be answered, in SQLite. All statements run inside a step's transaction."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.stored import known_reason, readable
from conversation.turn import DeadLetter

_LETTER = (
    "SELECT turn, key, dead_letter.person, message, reason, at FROM dead_letter"
    " CROSS JOIN conversation ON conversation.id = dead_letter.conversation"
)
"""CROSS: letters are few, conversations are many."""


def bury(
    db: sqlite3.Connection,
    conversation: int,
    turn_id: str,
    person: str,
    record: bytes,
    reason: str,
    now: float,
) -> None:
    db.execute(
        "INSERT INTO dead_letter (turn, conversation, person, message, reason, at) VALUES (?, ?, ?, ?, ?, ?)",
        (turn_id, conversation, person, record, reason, now),
    )


def kept(db: sqlite3.Connection) -> tuple[DeadLetter, ...]:
    """Oldest first."""
    return _read(db, f"{_LETTER} ORDER BY dead_letter.id")


def kept_of(db: sqlite3.Connection, person: str, bot: str) -> tuple[DeadLetter, ...]:
    """Oldest first."""
    of_person = (
        f"{_LETTER} JOIN bot ON bot.id = conversation.bot WHERE dead_letter.person = ? AND bot.name = ?"
    )
    return _read(db, f"{of_person} ORDER BY dead_letter.id", person, bot)


def drop(db: sqlite3.Connection, turn_id: str) -> bool:
    return db.execute("DELETE FROM dead_letter WHERE turn = ?", (turn_id,)).rowcount > 0


def _read(db: sqlite3.Connection, query: str, *values: str) -> tuple[DeadLetter, ...]:
    return tuple(
        DeadLetter(turn, ConversationKey.parse(key), person, readable(message), known_reason(reason), at)
        for turn, key, person, message, reason, at in db.execute(query, values)
    )
