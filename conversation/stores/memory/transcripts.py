"""What was said, in memory."""

from __future__ import annotations

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.transcripts import Said, entries


class MemoryTranscripts:
    def __init__(self) -> None:
        self._said: dict[ConversationKey, list[Said]] = {}

    def append(self, key: ConversationKey, said: Said, keep_turns: int) -> None:
        kept = self._said.setdefault(key, [])
        kept.append(said)
        del kept[: max(0, len(kept) - keep_turns)]

    def clear(self, key: ConversationKey) -> None:
        self._said.pop(key, None)

    def of(self, person: str, bot: str) -> tuple[tuple[ConversationKey, Said], ...]:
        """The longest ago first."""
        found = [
            (key, one)
            for key, said in self._said.items()
            for one in said
            if key.bot == bot and one.person == person
        ]
        return tuple(sorted(found, key=lambda one: (one[1].at, str(one[0]))))

    def erase(self, key: ConversationKey, person: str) -> None:
        self._said[key] = [one for one in self._said[key] if one.person != person]

    def forget(self, until: float, limit: int) -> None:
        """Up to ``limit`` turns of then or before."""
        for key, said in tuple(self._said.items()):
            while limit and said and said[0].at <= until:
                del said[0]
                limit -= 1
            if not said:
                del self._said[key]

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return entries(await self.said(key, turns))

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        return tuple(self._said.get(key, [])[-limit:])
