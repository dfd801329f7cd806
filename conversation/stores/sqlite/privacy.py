"""What is kept of one person, in SQLite."""

from __future__ import annotations

import sqlite3
from functools import partial

from conversation.keys import ConversationKey
from conversation.stores.privacy import Erased, Kept
from conversation.stores.sqlite import dead_letters, transcripts
from conversation.stores.sqlite.writer import Writer
from conversation.stores.transcripts import Said


class SqlitePrivacy:
    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def kept(self, person: str, bot: str) -> Kept:
        def step(db: sqlite3.Connection) -> Kept:
            said = db.execute(
                "SELECT key, turn, said.person, at, question, answer FROM said"
                " JOIN conversation ON conversation.id = said.conversation JOIN bot ON bot.id = conversation.bot"
                " WHERE said.person = ? AND bot.name = ? ORDER BY at, key, seq",
                (person, bot),
            ).fetchall()
            return Kept(
                tuple((ConversationKey.parse(key), Said(*one)) for key, *one in said),
                dead_letters.kept_of(db, person, bot),
                _waiting(db, person, bot),
            )

        return await self._writer.run(step)

    async def erase(self, person: str, bot: str) -> Erased:
        """A step for each conversation: nobody waits for a person with thousands of them."""

        def begin(db: sqlite3.Connection) -> tuple[list[tuple[int]], int]:
            conversations = db.execute(
                "SELECT DISTINCT conversation FROM said JOIN conversation ON conversation.id = said.conversation"
                " JOIN bot ON bot.id = conversation.bot WHERE said.person = ? AND bot.name = ?",
                (person, bot),
            ).fetchall()
            letters = dead_letters.kept_of(db, person, bot)
            for letter in letters:
                dead_letters.drop(db, letter.id)
            return conversations, len(letters)

        conversations, letters = await self._writer.run(begin)
        said = 0
        for (conversation,) in conversations:
            said += await self._writer.run(
                partial(transcripts.erase, conversation=conversation, person=person)
            )
        return Erased(said, letters, await self._writer.run(lambda db: _waiting(db, person, bot)))


def _waiting(db: sqlite3.Connection, person: str, bot: str) -> int:
    (messages,) = db.execute(
        "SELECT coalesce(sum(messages), 0) FROM turn CROSS JOIN conversation ON conversation.id = turn.conversation"
        " JOIN bot ON bot.id = conversation.bot WHERE turn.person = ? AND bot.name = ?",
        (person, bot),
    ).fetchone()
    return int(messages)
