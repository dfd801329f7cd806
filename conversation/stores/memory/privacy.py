"""What is kept of one person, in memory."""

from __future__ import annotations

from conversation.stores.memory.transcripts import MemoryTranscripts
from conversation.stores.memory.turns import ReferenceTurns
from conversation.stores.privacy import Erased, Kept


class MemoryPrivacy:
    def __init__(self, turns: ReferenceTurns, transcripts: MemoryTranscripts) -> None:
        self._turns = turns
        self._transcripts = transcripts

    async def kept(self, person: str, bot: str) -> Kept:
        letters = (letter for letter in self._turns.dead if (letter.person, letter.key.bot) == (person, bot))
        return Kept(self._transcripts.of(person, bot), tuple(letters), self._waiting(person, bot))

    async def erase(self, person: str, bot: str) -> Erased:
        gone = await self.kept(person, bot)
        for key in {key for key, _ in gone.said}:
            self._transcripts.erase(key, person)
        self._turns.dead = [letter for letter in self._turns.dead if letter not in gone.letters]
        return Erased(len(gone.said), len(gone.letters), gone.waiting)

    def _waiting(self, person: str, bot: str) -> int:
        queues = (one.queue for key, one in self._turns.conversations.items() if key.bot == bot)
        return sum(
            message.person == person for queue in queues for turn in queue for message in turn.messages
        )
