"""What was said, in SQLite. A conversation's seqs have no gaps, so that the newest turns are found by counting."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.sqlite.writer import Writer
from conversation.stores.transcripts import Said, entries
from conversation.turn import Turn


class SqliteTranscripts:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return entries(await self.said(key, turns))

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        def step(db: sqlite3.Connection) -> tuple[Said, ...]:
            newest_first = db.execute(
                "SELECT turn, person, at, question, answer FROM said"
                " WHERE conversation = (SELECT id FROM conversation WHERE key = ?)"
                " ORDER BY seq DESC LIMIT ?",
                (str(key), limit),
            ).fetchall()
            return tuple(Said(*row) for row in reversed(newest_first))

        return await self._writer.run(step)


def append(
    db: sqlite3.Connection,
    conversation: int,
    turn: Turn,
    person: str,
    answer: str,
    keep_turns: int,
    now: float,
) -> None:
    (seq,) = db.execute(
        "SELECT coalesce(max(seq), 0) + 1 FROM said WHERE conversation = ?", (conversation,)
    ).fetchone()
    db.execute(
        "INSERT INTO said (conversation, seq, turn, person, at, question, answer) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (conversation, seq, turn.id, person, now, turn.question, answer),
    )
    db.execute("DELETE FROM said WHERE conversation = ? AND seq <= ?", (conversation, seq - keep_turns))


def clear(db: sqlite3.Connection, conversation: int) -> None:
    db.execute("DELETE FROM said WHERE conversation = ?", (conversation,))


def erase(db: sqlite3.Connection, conversation: int, person: str) -> int:
    """How many turns of this person were forgotten. The others move together."""
    gone = db.execute(
        "DELETE FROM said WHERE conversation = ? AND person = ?", (conversation, person)
    ).rowcount
    left = db.execute("SELECT seq FROM said WHERE conversation = ? ORDER BY seq", (conversation,)).fetchall()
    for place, (seq,) in enumerate(left, start=1):
        db.execute("UPDATE said SET seq = ? WHERE conversation = ? AND seq = ?", (place, conversation, seq))
    return gone
