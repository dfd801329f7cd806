"""The shared store: Redis 7.0 or newer, or Valkey, for several processes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog

from conversation.clock import Clock
from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.address import MalformedAddressError, parse
from conversation.stores.redis.audit import RedisAudit
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.cluster import ClusterConnection
from conversation.stores.redis.connection import Connection, Login, ServerConnection
from conversation.stores.redis.conversations import RedisConversations
from conversation.stores.redis.errors import FAILURES
from conversation.stores.redis.events import RedisEvents
from conversation.stores.redis.house import House
from conversation.stores.redis.library import Library
from conversation.stores.redis.partitions import Partitions
from conversation.stores.redis.permits import RedisPermits
from conversation.stores.redis.privacy import RedisPrivacy
from conversation.stores.redis.records import RedisRecords
from conversation.stores.redis.refusals import needed, refusal
from conversation.stores.redis.startup import prepare
from conversation.stores.redis.transcripts import RedisTranscripts
from conversation.stores.redis.turns import RedisTurns
from conversation.stores.redis.wakeups import Wakeups
from conversation.stores.retention import Retention

__all__ = ["Login", "MalformedAddressError", "RedisStore"]

PARTITIONS = 64
"""More than a cluster has nodes; fixed when a namespace is first used."""

_log = structlog.get_logger()


class RedisStore:
    """A namespace in the Redis at ``url``, see ``address``.

    With ``replicated`` durability a message is accepted, and an outcome stored, only when a replica has it; where
    none confirms in time the caller hears StoreUnavailableError. The message may be there all the same: sent again
    it is a duplicate, as soon as a replica has it. ``clock`` is for tests; without it time is the server's.

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
        retention: Retention = Retention(),  # noqa: B008 - frozen
        library: Library | None = None,
    ) -> None:
        address = self._address = parse(url)
        self._namespace = namespace
        self._login = (login or Login()).or_of(address)
        self._replicated = durability == "replicated"
        self._library = library or Library()
        connect = ClusterConnection if address.kind == "cluster" else ServerConnection
        self._connection: Connection = connect(address, self._login, replicated=self._replicated)
        self._batching = Batching(self._connection, self._library)
        house = Partitions(namespace, partitions)
        self._house = House(self._batching, house)
        self.warnings: tuple[str, ...] = ()
        self.turns = RedisTurns(self._batching, self._house, clock, retention)
        self.transcripts = RedisTranscripts(self._batching, self._house)
        self.events = RedisEvents(self._batching, self._house, clock)
        self.records = RedisRecords(self._batching, self._house)
        self.conversations = RedisConversations(self._batching, self._house, clock)
        self.audit = RedisAudit(self._batching, self._house, clock)
        self.privacy = RedisPrivacy(self._batching, self._house)
        self.permits = RedisPermits(self._batching, house, clock)
        self.wakeups = Wakeups(self._connection, [house.tag(number) for number in range(partitions)])

    async def open(self) -> None:
        """Raises StoreUnavailableError with what to do about it; ``warnings`` says what else should be done."""
        try:
            self.warnings = await prepare(
                self._connection,
                self._library,
                self._house.partitions.home,
                replicated=self._replicated,
                permissions=needed(self._address, self._namespace),
            )
            await self._house.join()
        except FAILURES as error:
            await self._connection.close()
            raise refusal(error, self._address, self._namespace) from error
        except StoreUnavailableError as error:
            await self._connection.close()
            if isinstance(error.__cause__, FAILURES):
                raise refusal(error.__cause__, self._address, self._namespace) from error.__cause__
            raise
        for warning in self.warnings:
            _log.warning("redis", advice=warning)

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:
        """Listens to what other processes tell."""
        await self.wakeups.run(wake, stop)

    async def close(self) -> None:
        await self._batching.close()
        await self._connection.close()
