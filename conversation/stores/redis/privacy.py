"""What is kept of one person, in Redis. All of it is in the partition of the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from conversation.keys import ConversationKey
from conversation.stores.privacy import Erased, Kept
from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.dead_letters import RedisDeadLetters
from conversation.stores.redis.house import House
from conversation.stores.transcripts import Said

_AT_ONCE = 100
"""Conversations that are asked for at once, so that others' commands are not kept waiting."""


class RedisPrivacy:
    def __init__(self, batching: Batching, house: House) -> None:
        self._batching = batching
        self._partitions = house.partitions
        self._letters = RedisDeadLetters(batching, house.partitions)

    async def kept(self, person: str, bot: str) -> Kept:
        tag = self._tag(bot)
        said: list[tuple[ConversationKey, Said]] = []
        for keys in _batches(await self._conversations(person, bot)):
            transcripts = await asyncio.gather(
                *(self._batching.run(tag, "LRANGE", f"{tag}:said:{key}", 0, -1) for key in keys)
            )
            for key, elements in zip(keys, transcripts, strict=True):
                said += [(key, one) for one in map(rows.said, elements) if one.person == person]
        said.sort(key=lambda one: (one[1].at, str(one[0])))
        return Kept(tuple(said), await self._letters.kept_of(person, bot), await self._waiting(person, bot))

    async def erase(self, person: str, bot: str) -> Erased:
        """A call for each conversation: nobody waits for a person with thousands of them."""
        tag = self._tag(bot)
        letters = await self._letters.kept_of(person, bot)
        for letter in letters:
            await self._letters.drop(letter.id)
        said = 0
        for keys in _batches(await self._conversations(person, bot)):
            said += sum(
                await asyncio.gather(
                    *(
                        self._batching.call("erase_said", tag, "", person, str(key), durable=True)
                        for key in keys
                    )
                )
            )
        return Erased(said, len(letters), await self._waiting(person, bot))

    async def _conversations(self, person: str, bot: str) -> list[ConversationKey]:
        """Those in whose transcripts the person is."""
        tag = self._tag(bot)
        return _of_bot(await self._batching.run(tag, "HKEYS", f"{tag}:said_of:{person}"), bot)

    async def _waiting(self, person: str, bot: str) -> int:
        tag = self._tag(bot)
        busy = _of_bot(set(await self._batching.run(tag, "HVALS", f"{tag}:queued")), bot)
        waiting = 0
        for keys in _batches(busy):
            waiting += await self._batching.call("count_waiting", tag, "", person, *map(str, keys))
        return waiting

    def _tag(self, bot: str) -> str:
        return self._partitions.tag(self._partitions.of(bot))


def _of_bot(keys: Iterable[bytes], bot: str) -> list[ConversationKey]:
    parsed = (ConversationKey.parse(key.decode()) for key in keys)
    return [key for key in parsed if key.bot == bot]


def _batches(keys: Sequence[ConversationKey]) -> Iterator[Sequence[ConversationKey]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
