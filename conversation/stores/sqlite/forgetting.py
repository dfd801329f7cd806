"""What is forgotten by age. All statements run inside a step's transaction, and cost little when nothing is due."""

from __future__ import annotations

import sqlite3

from conversation.stores.conversations import LISTED_FOR
from conversation.stores.port import SEEN_FOR
from conversation.stores.retention import Retention

LOOKED_AT = 20
"""Conversations that each tick looks at: a million in less than a day."""


def old(db: sqlite3.Connection, retention: Retention, now: float, limit: int) -> None:
    """At most ``limit`` of each kind."""
    db.execute(
        "DELETE FROM said WHERE (conversation, seq) IN"
        " (SELECT conversation, seq FROM said WHERE at <= ? ORDER BY at LIMIT ?)",
        (now - retention.transcripts, limit),
    )
    db.execute(  # not before the events, which are found by it
        "DELETE FROM seen WHERE turn IN (SELECT turn FROM seen WHERE at <= ? LIMIT ?)",
        (now - max(SEEN_FOR, retention.events), limit),
    )
    _oldest(db, "dead_letter", "id", now - retention.transcripts, limit)
    _oldest(db, "event", "position", now - retention.events, limit)
    _oldest(db, "audit", "position", now - retention.audit, limit)


def idle_conversations(db: sqlite3.Connection, behind: int, now: float) -> int:
    """Of the next few behind an id, forget those in which nothing happened for long, and to which nothing refers.
    Gives the id behind which to go on, so that all have their turn. An epoch that starts afresh later is no danger: a
    claim is compared with its session too.
    """
    looked_at = db.execute(
        "SELECT id, queued = 0 AND active_at <= ? FROM conversation WHERE id > ? ORDER BY id LIMIT ?",
        (now - LISTED_FOR, behind, LOOKED_AT),
    ).fetchall()
    for conversation, is_idle in looked_at:
        if is_idle:
            db.execute(
                "DELETE FROM conversation WHERE id = ?1"
                " AND NOT EXISTS (SELECT 1 FROM said WHERE conversation = ?1)"
                " AND NOT EXISTS (SELECT 1 FROM event WHERE conversation = ?1)"
                " AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE conversation = ?1)",
                (conversation,),
            )
    return looked_at[-1][0] if len(looked_at) == LOOKED_AT else 0


def _oldest(db: sqlite3.Connection, table: str, number: str, since: float, limit: int) -> None:
    """Rows stand in the order of their time: who is too young hides only younger ones."""
    first = db.execute(f"SELECT {number}, at FROM {table} ORDER BY {number} LIMIT 1").fetchone()
    if first is None or first[1] > since:
        return
    db.execute(
        f"DELETE FROM {table} WHERE {number} IN"
        f" (SELECT {number} FROM (SELECT {number}, at FROM {table} ORDER BY {number} LIMIT ?) WHERE at <= ?)",
        (limit, since),
    )
