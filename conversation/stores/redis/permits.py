"""Platform budgets in Redis: one hash for each bucket, kept until it is full again and a minute longer."""

from __future__ import annotations

import asyncio
from typing import Any

from conversation.clock import Clock
from conversation.stores.permits import Bucket, Lease
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.connection import Argument
from conversation.stores.redis.partitions import Partitions


class RedisPermits:
    """``clock`` is for tests; without it time is the server's."""

    def __init__(self, batching: Batching, partitions: Partitions, clock: Clock | None) -> None:
        self._batching = batching
        self._partitions = partitions
        self._clock = clock

    async def lease(self, bucket: Bucket, *, urgent: int, partial: int, unused: int = 0) -> Lease:
        reserve = repr(bucket.reserve)
        granted = await self._call("lease_permits", bucket, reserve, urgent, partial, unused)
        return Lease(int(granted[0]), int(granted[1]), float(granted[2]), float(granted[3]))

    async def close(self, bucket: Bucket, seconds: float) -> None:
        await self._call("close_budget", bucket, repr(seconds))

    def _call(self, function: str, bucket: Bucket, *args: Argument) -> asyncio.Future[Any]:
        now = repr(self._clock.now()) if self._clock else ""
        tag = self._partitions.tag(self._partitions.of(bucket.name))
        return self._batching.call(
            function, tag, now, bucket.name, repr(bucket.rate), repr(bucket.burst), *args
        )
