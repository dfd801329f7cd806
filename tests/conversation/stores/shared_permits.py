"""``Permits`` as a plain model: what an engine must agree with, and what limits lease from in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from conversation.stores.permits import Bucket, Lease
from conversation.stores.port import StoreUnavailableError


@dataclass
class _Standing:
    level: float
    at: float
    closed_until: float = 0.0


class SharedPermits:
    """``answers_after`` seconds, or not at all while it is ``away``. Counts the ``questions``."""

    def __init__(self, now: Callable[[], float], *, answers_after: float = 0.0) -> None:
        self._now = now
        self._buckets: dict[str, _Standing] = {}
        self.answers_after = answers_after
        self.away = False
        self.questions = 0

    async def lease(self, bucket: Bucket, *, urgent: int, partial: int, unused: int = 0) -> Lease:
        await self._asked()
        standing = self._standing(bucket)
        standing.level = min(bucket.burst, standing.level + unused)
        closed = max(0.0, standing.closed_until - self._now())
        first = 0 if closed else max(0, min(urgent, math.floor(standing.level + 1e-9)))
        standing.level -= first
        then = 0 if closed else max(0, min(partial, math.floor(standing.level - bucket.reserve + 1e-9)))
        standing.level -= then
        answer = Lease(first, then, standing.level, closed)
        await asyncio.sleep(self.answers_after)
        return answer

    async def close(self, bucket: Bucket, seconds: float) -> None:
        await self._asked()
        standing = self._standing(bucket)
        standing.level = min(standing.level, 1.0)
        standing.closed_until = max(standing.closed_until, self._now() + seconds)

    async def _asked(self) -> None:
        self.questions += 1
        if self.away:
            await asyncio.sleep(self.answers_after)
            raise StoreUnavailableError("away")

    def _standing(self, bucket: Bucket) -> _Standing:
        now = self._now()
        standing = self._buckets.setdefault(bucket.name, _Standing(bucket.burst, now))
        standing.level = min(bucket.burst, standing.level + (now - standing.at) * bucket.rate)
        standing.at = now
        return standing
