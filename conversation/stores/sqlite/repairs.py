"""Completed turns that can be repaired. All statements run inside a step's transaction."""

from __future__ import annotations

import sqlite3

from conversation.stored import read_repair
from conversation.turn import Claim, Repair


def keep(db: sqlite3.Connection, conversation: int, seq: int, due_at: float, until: float) -> None:
    """Of a turn that is about to be completed, if anything of it was shown."""
    db.execute(
        "INSERT OR REPLACE INTO repair (turn, message, admitted_at, attempt, delivery, strays, due_at, until)"
        " SELECT turn.id, message, admitted_at, attempt, delivery, strays, ?, ?"
        " FROM turn JOIN conversation ON conversation.id = turn.conversation"
        " WHERE turn.conversation = ? AND seq = ? AND delivery IS NOT NULL",
        (due_at, until, conversation, seq),
    )


def due(db: sqlite3.Connection, limit: int, now: float, again_at: float) -> tuple[Repair, ...]:
    rows = db.execute(
        "SELECT turn, message, admitted_at, attempt, delivery, strays FROM repair"
        " WHERE due_at <= ?1 AND until > ?1 ORDER BY due_at, turn LIMIT ?2",
        (now, limit),
    ).fetchall()
    found = []
    for turn_id, message, admitted_at, attempt, delivery, strays in rows:
        db.execute("UPDATE repair SET due_at = ? WHERE turn = ?", (again_at, turn_id))
        repair = read_repair(turn_id, message, admitted_at, attempt, delivery, strays)
        if repair is None:
            done(db, turn_id, tuple(strays.splitlines()))
        else:
            found.append(repair)
    return tuple(found)


def done(db: sqlite3.Connection, turn_id: str, strays: tuple[str, ...]) -> None:
    """Unless other strays were told of meanwhile."""
    known = "".join(f"{stray}\n" for stray in strays)
    db.execute("UPDATE repair SET due_at = NULL, strays = '' WHERE turn = ? AND strays = ?", (turn_id, known))


def suspect(db: sqlite3.Connection, claim: Claim, stray: str, due_at: float) -> None:
    line = f"{stray}\n" if stray else ""
    kept = db.execute(
        "UPDATE repair SET due_at = max(coalesce(due_at, 0), ?), strays = strays || ? WHERE turn = ?",
        (due_at, line, claim.turn.id),
    ).rowcount
    if not kept:
        db.execute(
            "UPDATE conversation SET strays = strays || ?1 WHERE key = ?2 AND ?3 ="
            " (SELECT id FROM turn WHERE conversation = conversation.id ORDER BY seq LIMIT 1)",
            (line, str(claim.key), claim.turn.id),
        )
