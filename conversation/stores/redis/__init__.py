"""The shared store: Redis 7.0 or newer, or Valkey, for several processes at once."""

from __future__ import annotations

from typing import Literal

from conversation.clock import Clock
from conversation.stores.redis.address import parse
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.connection import Connection, Login, ServerConnection
from conversation.stores.redis.house import House
from conversation.stores.redis.library import Library
from conversation.stores.redis.partitions import Partitions
from conversation.stores.redis.side import RedisEvents, RedisRecords, RedisTranscripts
from conversation.stores.redis.turns import RedisTurns

PARTITIONS = 64
"""More than a cluster has nodes; fixed when a namespace is first used."""


class RedisStore:
    """A namespace in the Redis at ``url``. ``clock`` is for tests; without it time is the server's.

    Raises MalformedAddressError.
    """

    exclusive = False

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "turnkeeper",
        durability: Literal["fast", "replicated"] = "fast",
        login: Login | None = None,
        clock: Clock | None = None,
        partitions: int = PARTITIONS,
        library: Library | None = None,
    ) -> None:
        self._address = parse(url)
        self._login = login or Login()
        self._replicated = durability == "replicated"
        self._library = library or Library()
        self._connection: Connection = ServerConnection(
            self._address, self._login, replicated=self._replicated
        )
        batching = self._batching = Batching(self._connection, self._library)
        house = self._house = House(batching, Partitions(namespace, partitions))
        self.turns = RedisTurns(batching, house, clock)
        self.transcripts = RedisTranscripts(batching, house)
        self.events = RedisEvents(batching, house)
        self.records = RedisRecords(batching, house)

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it."""
        await self._house.join()

    async def close(self) -> None:
        await self._batching.close()
        await self._connection.close()
