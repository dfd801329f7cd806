"""What is kept of one person, in SQLite."""

from __future__ import annotations

import sqlite3

from conversation.keys import ConversationKey
from conversation.stored import known_reason, readable
from conversation.stores.privacy import Erased, Kept
from conversation.stores.sqlite.writer import Writer
from conversation.stores.transcripts import Said
from conversation.turn import DeadLetter

_OF_BOT = "bot = (SELECT id FROM bot WHERE name = ?)"


class SqlitePrivacy:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def kept(self, person: str, bot: str) -> Kept:
        def step(db: sqlite3.Connection) -> Kept:
            said = db.execute(
                "SELECT key, turn, said.person, at, question, answer FROM said"
                f" JOIN conversation ON conversation.id = said.conversation WHERE said.person = ? AND {_OF_BOT}"
                " ORDER BY at",
                (person, bot),
            ).fetchall()
            return Kept(
                tuple((ConversationKey.parse(key), Said(*one)) for key, *one in said),
                tuple(_letters(db, person, bot)),
                _waiting(db, person, bot),
            )

        return await self._writer.run(step)

    async def erase(self, person: str, bot: str) -> Erased:
        def step(db: sqlite3.Connection) -> Erased:
            said = db.execute(
                "DELETE FROM said WHERE person = ?"
                f" AND conversation IN (SELECT id FROM conversation WHERE {_OF_BOT})",
                (person, bot),
            ).rowcount
            letters = _letters(db, person, bot)
            for letter in letters:
                db.execute("DELETE FROM dead_letter WHERE turn = ?", (letter.id,))
            return Erased(said, len(letters), _waiting(db, person, bot))

        return await self._writer.run(step)


def _letters(db: sqlite3.Connection, person: str, bot: str) -> list[DeadLetter]:
    found = db.execute(
        "SELECT turn, key, message, reason, at FROM dead_letter"
        f" JOIN conversation ON conversation.id = dead_letter.conversation WHERE {_OF_BOT} ORDER BY dead_letter.id",
        (bot,),
    ).fetchall()
    letters = [
        DeadLetter(turn, ConversationKey.parse(key), readable(record), known_reason(reason), at)
        for turn, key, record, reason, at in found
    ]
    return [one for one in letters if any(message.person == person for message in one.messages)]


def _waiting(db: sqlite3.Connection, person: str, bot: str) -> int:
    (messages,) = db.execute(
        "SELECT coalesce(sum(messages), 0) FROM turn JOIN conversation ON conversation.id = turn.conversation"
        f" WHERE turn.person = ? AND {_OF_BOT}",
        (person, bot),
    ).fetchone()
    return int(messages)
