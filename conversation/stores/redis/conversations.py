"""Looking at conversations in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.conversations import ConversationState, Load, Queue
from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House
from conversation.turn import Turn


class RedisConversations:
    """``clock`` is for tests; without it time is the server's."""

    def __init__(self, batching: Batching, house: House, clock: Clock | None) -> None:
        self._batching = batching
        self._partitions = house.partitions
        self._clock = clock

    async def page(
        self, bot: str, *, before: tuple[float, str] | None = None, limit: int
    ) -> tuple[ConversationState, ...]:
        tag, newest = self._tag(bot), "+inf" if before is None else repr(before[0])
        found: list[ConversationState] = []
        offset = 0
        while len(found) < limit:
            listed = await self._batching.call(
                "list_conversations", tag, self._now(), bot, newest, offset, limit
            )
            states = map(rows.conversation, listed)
            found += [one for one in states if before is None or (one.active_at, str(one.key)) < before]
            offset += len(listed)
            if len(listed) < limit:
                break
        return tuple(found[:limit])

    async def find(self, key: ConversationKey) -> ConversationState | None:
        row = await self._batching.call(
            "find_conversation", self._tag(key.bot), self._now(), key.bot, str(key)
        )
        return rows.conversation(row) if row[1] else None

    async def queue(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        tag = self._tag(key.bot)
        return rows.turns(key, *await self._batching.call("look_at_queue", tag, self._now(), str(key), limit))

    async def load(self, bot: str) -> Load:
        tag = self._tag(bot)
        counts = await self._batching.run(tag, "HMGET", f"{tag}:bot:{bot}", "running", "turns")
        running, turns = (int(count or 0) for count in counts)
        return Load(running, turns - running)

    async def queues(self, bots: Collection[str]) -> dict[str, Queue]:
        measured = await asyncio.gather(
            *(self._batching.call("measure_queue", self._tag(bot), self._now(), bot) for bot in bots)
        )
        return {
            bot: Queue(waiting, float(age or 0.0)) for bot, (waiting, age) in zip(bots, measured, strict=True)
        }

    def _tag(self, bot: str) -> str:
        return self._partitions.tag(self._partitions.of(bot))

    def _now(self) -> str:
        return repr(self._clock.now()) if self._clock else ""
