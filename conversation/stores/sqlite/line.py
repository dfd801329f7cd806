"""Who is next: the ready conversations of several bots, and the limits of bots and of persons.

A bot's ``ready`` counts its conversations that are ready and not parked, so that only bots with work are looked at.
All statements run inside a step's transaction.
"""

from __future__ import annotations

import sqlite3

from conversation.busy import Limits


def bot(db: sqlite3.Connection, name: str, limits: Limits) -> int:
    """The bot's row, with these limits from now on."""
    row = db.execute("SELECT id, replies, per_person FROM bot WHERE name = ?", (name,)).fetchone()
    if row is None:
        created = db.execute(
            "INSERT INTO bot (name, replies, per_person) VALUES (?, ?, ?)",
            (name, limits.replies, limits.per_person),
        ).lastrowid
        assert created is not None
        return created
    if row[1:] != (limits.replies, limits.per_person):
        db.execute(
            "UPDATE bot SET replies = ?, per_person = ? WHERE id = ?",
            (limits.replies, limits.per_person, row[0]),
        )
    return int(row[0])


def make_ready(db: sqlite3.Connection, conversation: int) -> None:
    (order,) = db.execute(
        "UPDATE counter SET value = value + 1 WHERE name = 'ready' RETURNING value"
    ).fetchone()
    (of_bot,) = db.execute(
        "UPDATE conversation SET ready_order = ? WHERE id = ? RETURNING bot", (order, conversation)
    ).fetchone()
    db.execute("UPDATE bot SET ready = ready + 1 WHERE id = ?", (of_bot,))


def within_limits(db: sqlite3.Connection, bot: int, person: str, limits: Limits) -> bool:
    return _bot_may(db, bot, limits.replies) and _person_may(db, person, limits.per_person)


def next_in_line(db: sqlite3.Connection) -> int | None:
    """The conversation to be claimed next. A bot that was away has not saved up."""
    best: tuple[int, int, int] | None = None
    newest = None
    for of_bot, served, replies, per_person in db.execute(
        "SELECT id, served, replies, per_person FROM bot WHERE ready > 0"
    ).fetchall():
        if newest is None:
            (newest,) = db.execute("SELECT max(served) FROM bot").fetchone()
        if not _bot_may(db, of_bot, replies):
            continue
        first = _longest_ready(db, of_bot, per_person)
        if first is not None:
            candidate = (max(served, newest - 1), *first)
            best = candidate if best is None else min(best, candidate)
    return None if best is None else best[2]


def waits_since(db: sqlite3.Connection, name: str) -> float | None:
    """When the head turn was admitted of the longest ready conversation whose person is below the limit. It parks
    nobody, as who looks changes nothing.
    """
    full: dict[str, bool] = {}
    for conversation, person, per_person in db.execute(
        "SELECT conversation.id, person, per_person FROM bot JOIN conversation ON bot = bot.id"
        " WHERE name = ? AND parked = 0 AND ready_order IS NOT NULL ORDER BY ready_order",
        (name,),
    ):
        if person not in full:
            full[person] = not _person_may(db, person, per_person)
        if not full[person]:
            (admitted_at,) = db.execute(
                "SELECT admitted_at FROM turn WHERE conversation = ? ORDER BY seq LIMIT 1", (conversation,)
            ).fetchone()
            return float(admitted_at)
    return None


def leave(db: sqlite3.Connection, conversation: int) -> None:
    """The conversation is claimed: it is ready no more."""
    (of_bot,) = db.execute(
        "UPDATE conversation SET ready_order = NULL WHERE id = ? RETURNING bot", (conversation,)
    ).fetchone()
    db.execute("UPDATE bot SET ready = ready - 1 WHERE id = ?", (of_bot,))


def serve(db: sqlite3.Connection, conversation: int) -> None:
    """Count the claim."""
    db.execute(
        "UPDATE bot SET served = max(served, (SELECT max(served) FROM bot) - 1) + 1"
        " WHERE id = (SELECT bot FROM conversation WHERE id = ?)",
        (conversation,),
    )


def unpark(db: sqlite3.Connection, person: str) -> None:
    """One turn of this person has ended: the longest-ready parked conversation may be claimed again."""
    row = db.execute(
        "UPDATE conversation SET parked = 0 WHERE id ="
        " (SELECT id FROM conversation WHERE person = ? AND parked = 1 ORDER BY ready_order LIMIT 1)"
        " RETURNING bot",
        (person,),
    ).fetchone()
    if row is not None:
        db.execute("UPDATE bot SET ready = ready + 1 WHERE id = ?", row)


def running_of(db: sqlite3.Connection, bot: int) -> int:
    """The bot's turns that run. The plus keeps SQLite from going through all conversations of the bot instead."""
    (running,) = db.execute(
        "SELECT count(*) FROM conversation WHERE owner IS NOT NULL AND +bot = ?", (bot,)
    ).fetchone()
    return int(running)


def _longest_ready(db: sqlite3.Connection, bot: int, per_person: int) -> tuple[int, int] | None:
    """(order, id). Those before it whose persons are at the limit are parked."""
    first = (
        "SELECT ready_order, id, person FROM conversation"
        " WHERE bot = ? AND parked = 0 AND ready_order IS NOT NULL ORDER BY ready_order LIMIT 1"
    )
    while (row := db.execute(first, (bot,)).fetchone()) is not None:
        order, conversation, person = row
        if _person_may(db, person, per_person):
            return order, conversation
        db.execute("UPDATE conversation SET parked = 1 WHERE id = ?", (conversation,))
        db.execute("UPDATE bot SET ready = ready - 1 WHERE id = ?", (bot,))
    return None


def _bot_may(db: sqlite3.Connection, bot: int, replies: int) -> bool:
    if not replies:
        return True
    return running_of(db, bot) < replies


def _person_may(db: sqlite3.Connection, person: str, per_person: int) -> bool:
    if not per_person:
        return True
    (running,) = db.execute(
        "SELECT count(*) FROM conversation WHERE owner IS NOT NULL AND person = ?", (person,)
    ).fetchone()
    return int(running) < per_person
