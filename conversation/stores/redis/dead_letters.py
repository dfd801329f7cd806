"""Turns that could not be answered, in Redis: a list in each partition."""

from __future__ import annotations

import asyncio

from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.partitions import Partitions
from conversation.turn import DeadLetter


class RedisDeadLetters:
    def __init__(self, batching: Batching, partitions: Partitions) -> None:
        self._batching = batching
        self._partitions = partitions

    async def kept(self) -> tuple[DeadLetter, ...]:
        """Oldest first."""
        tags = map(self._partitions.tag, self._partitions.used)
        lists = await asyncio.gather(*map(self._kept_in, tags))
        return tuple(sorted((letter for letters in lists for letter in letters), key=lambda one: one.at))

    async def kept_of(self, person: str, bot: str) -> tuple[DeadLetter, ...]:
        """Oldest first."""
        letters = await self._kept_in(self._partitions.tag(self._partitions.of(bot)))
        return tuple(one for one in letters if (one.person, one.key.bot) == (person, bot))

    async def drop(self, id: str) -> bool:
        """Whether it was there, in whatever partition."""
        tags = map(self._partitions.tag, self._partitions.used)
        dropped = await asyncio.gather(
            *(self._batching.call("drop_dead_letter", tag, "", id, durable=True) for tag in tags)
        )
        return any(dropped)

    async def _kept_in(self, tag: str) -> list[DeadLetter]:
        return list(map(rows.dead_letter, await self._batching.run(tag, "LRANGE", f"{tag}:dead", 0, -1)))
