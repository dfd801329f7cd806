"""What was said, in Redis."""

from __future__ import annotations

from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House
from conversation.stores.transcripts import Said, entries


class RedisTranscripts:
    def __init__(self, batching: Batching, house: House) -> None:
        self._batching = batching
        self._partitions = house.partitions

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return entries(await self.said(key, turns))

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        tag = self._partitions.tag(self._partitions.of(key.bot))
        found = await self._batching.run(tag, "LRANGE", f"{tag}:said:{key}", -limit, -1)
        return tuple(map(rows.said, found))
