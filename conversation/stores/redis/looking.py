"""Looking at conversations in Redis, at the audit, and at what is kept of one person."""

from __future__ import annotations

import asyncio
from collections import Counter

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.audit import AuditEntry, Deed
from conversation.stores.conversations import ConversationState, Load
from conversation.stores.privacy import Erased, Kept
from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House
from conversation.stores.redis.turns import RedisTurns
from conversation.turn import DeadLetter, Turn

_DEED = (b"who", b"action", b"target", b"detail")


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
        return rows.queue(key, *await self._batching.call("look_at_queue", tag, self._now(), str(key), limit))

    async def load(self, bot: str) -> Load:
        tag = self._tag(bot)
        counts = await self._batching.run(tag, "HMGET", f"{tag}:bot:{bot}", "running", "turns")
        running, turns = (int(count or 0) for count in counts)
        return Load(running, turns - running)

    def _tag(self, bot: str) -> str:
        return self._partitions.tag(self._partitions.of(bot))

    def _now(self) -> str:
        return repr(self._clock.now()) if self._clock else ""


class RedisAudit:
    """In partition 0, as all that concerns the whole namespace."""

    def __init__(self, batching: Batching, house: House, clock: Clock | None) -> None:
        self._batching = batching
        self._home = house.partitions.home
        self._clock = clock

    async def append(self, deed: Deed) -> None:
        now = repr(self._clock.now()) if self._clock else ""
        await self._batching.call(
            "append_audit", self._home, now, deed.who, deed.action, deed.target, deed.detail, durable=True
        )

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        newest = "+" if position is None else f"(0-{position}"
        found = await self._batching.run(
            self._home, "XREVRANGE", f"{self._home}:audit", newest, "-", "COUNT", limit
        )
        return tuple(
            AuditEntry(
                int(entry.partition(b"-")[2]),
                float(fields[b"at"]),
                Deed(*(fields[name].decode() for name in _DEED)),
            )
            for entry, fields in found
        )


class RedisPrivacy:
    def __init__(self, batching: Batching, house: House, turns: RedisTurns) -> None:
        self._batching = batching
        self._house = house
        self._turns = turns

    async def kept(self, person: str, bot: str) -> Kept:
        tag = self._house.partitions.tag(self._house.partitions.of(bot))
        keys = sorted(await self._batching.run(tag, "SMEMBERS", f"{tag}:said_of:{person}"))
        lists = await asyncio.gather(
            *(self._batching.run(tag, "LRANGE", f"{tag}:said:{key.decode()}", 0, -1) for key in keys)
        )
        said = [
            (ConversationKey.parse(key.decode()), one)
            for key, elements in zip(keys, lists, strict=True)
            for one in map(rows.said, elements)
            if one.person == person
        ]
        said.sort(key=lambda pair: pair[1].at)
        return Kept(tuple(said), await self._letters(person, bot), await self._waiting(tag, person, bot))

    async def erase(self, person: str, bot: str) -> Erased:
        tag = self._house.partitions.tag(self._house.partitions.of(bot))
        letters = await self._letters(person, bot)
        for letter in letters:
            await self._turns.drop_dead_letter(letter.id)
        said = await self._batching.call("erase_said", tag, "", person, durable=True)
        return Erased(int(said), len(letters), await self._waiting(tag, person, bot))

    async def _letters(self, person: str, bot: str) -> tuple[DeadLetter, ...]:
        return tuple(
            letter
            for letter in await self._turns.dead_letters()
            if letter.key.bot == bot and any(message.person == person for message in letter.messages)
        )

    async def _waiting(self, tag: str, person: str, bot: str) -> int:
        queued = Counter(await self._batching.run(tag, "HVALS", f"{tag}:queued"))
        keys = [key.decode() for key in queued if ConversationKey.parse(key.decode()).bot == bot]
        queues = await asyncio.gather(
            *(self._batching.run(tag, "LRANGE", f"{tag}:queue:{key}", 0, -1) for key in keys)
        )
        return sum(rows.messages_of(turn, person) for turns in queues for turn in turns)
