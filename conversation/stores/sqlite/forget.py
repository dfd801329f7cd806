"""What is forgotten by age. All statements run inside a step's transaction, and cost little when nothing is due."""

from __future__ import annotations

import sqlite3

from conversation.stores.conversations import LISTED_FOR
from conversation.stores.retention import Retention

SWEEP_EVERY = 600.0
"""Seconds between two looks for conversations to which nothing refers any more."""


def old(db: sqlite3.Connection, retention: Retention, now: float, limit: int) -> None:
    """At most ``limit`` of each kind."""
    db.execute(
        "DELETE FROM said WHERE (conversation, seq) IN"
        " (SELECT conversation, seq FROM said WHERE at <= ? ORDER BY at LIMIT ?)",
        (now - retention.transcripts, limit),
    )
    _oldest(db, "dead_letter", "id", now - retention.transcripts, limit)
    _oldest(db, "event", "position", now - retention.events, limit)
    _oldest(db, "audit", "position", now - retention.audit, limit)


def idle_conversations(db: sqlite3.Connection, now: float, limit: int) -> None:
    """An epoch that starts afresh later is no danger: a claim is compared with its session too."""
    db.execute(
        "DELETE FROM conversation WHERE id IN (SELECT id FROM conversation AS of"
        " WHERE queued = 0 AND active_at <= ?"
        " AND NOT EXISTS (SELECT 1 FROM said WHERE conversation = of.id)"
        " AND NOT EXISTS (SELECT 1 FROM event WHERE conversation = of.id)"
        " AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE conversation = of.id) LIMIT ?)",
        (now - LISTED_FOR, limit),
    )


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
