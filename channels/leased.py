"""Limits that all replicas of a store keep together: permits are leased from it by demand, a few at a time.

Invariants, besides those of ``budget``:

- one waiting call at a time asks the store, for all that wait; no task outlives the call that asks;
- a permit is granted in the order of waiting, or held for ``HELD_FOR``, or given back with the next question: by
  whoever is cancelled too;
- nobody asks before the bucket, as it was last seen, can have what is waited for;
- while the store is away calls wait: by then they may not write either.

Between replicas, urgent calls go first because partial ones leave them the reserve; for the rest, who meets a
permit first has it, and each asks at a moment of its own, so that none is always late.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import random
from collections import OrderedDict, deque
from dataclasses import dataclass

from typing_extensions import override

from channels.budget import RESERVED_FOR_URGENT, Limit, OwnLimit
from channels.watch import UNWATCHED, PlatformWatch
from conversation.outbound import LONGEST_WAIT, DeliveryDelayedError
from conversation.stores.permits import Bucket, Permits
from conversation.stores.port import StoreUnavailableError

HELD_FOR = 1.0
"""Seconds for which a permit that nobody waits for may still be used here. Meanwhile the bucket refills, so the
platform may see as much above the burst: at most a second's worth, where our 95 % of a minute leave three."""

SPARE = 0.5
"""Permits leased beyond what waits, as a share of those used in about the last second."""

MOST_SPARE = 0.05
"""The most of them, as a share of the burst: what we leave unused of that which the platform takes at once."""

APART, PARTIAL_APART = 0.1, 0.25
"""Seconds over which replicas that wait for an urgent or a partial permit spread their questions. The longer, the
more permits one question brings."""

MOST_CHATS = 2_000
"""Chats whose limits are remembered, for one bot."""

ASK_AGAIN = 1.0
"""Seconds between two questions to a store that is away."""


@dataclass(frozen=True, slots=True)
class Budget:
    """All limits of one ``owner``: an app in one workspace or tenant. Without ``permits`` they are this process's."""

    owner: str = ""
    permits: Permits | None = None
    watch: PlatformWatch = UNWATCHED

    def limit(self, name: str, rate: float, burst: float) -> Limit:
        """``name`` tells this limit from the owner's others, in every version of Turnkeeper."""
        limit: Limit
        if self.permits is None:
            limit = OwnLimit(rate, burst)
        else:
            limit = LeasedLimit(
                self.permits, Bucket(f"{self.owner}:{name}", rate, burst, burst * RESERVED_FOR_URGENT)
            )
        limit.watch = self.watch
        return limit


class PerChat:
    """The limit of each chat under one name. Of those that were not asked for lately some are made anew."""

    def __init__(self, budget: Budget, name: str, rate: float, burst: float) -> None:
        self._budget = budget
        self._name = name
        self._rate, self._burst = rate, burst
        self._chats: OrderedDict[str, Limit] = OrderedDict()

    def of(self, chat: str) -> Limit:
        limit = self._chats.pop(chat, None)
        if limit is None:
            limit = self._budget.limit(f"{self._name}:{chat}", self._rate, self._burst)
        self._chats[chat] = limit
        if len(self._chats) > MOST_CHATS:
            self._chats.popitem(last=False)
        return limit

    @property
    def held_back(self) -> float:
        """Of the chat that has to wait longest."""
        return max((limit.held_back for limit in self._chats.values()), default=0.0)


def nameless(secret: str) -> str:
    """A name for the owner of a secret that does not tell the secret."""
    return hashlib.blake2b(secret.encode(), digest_size=16).hexdigest()


class _Call:
    """One that waits."""

    __slots__ = ("_news", "error", "granted")

    def __init__(self) -> None:
        self.granted = False
        self.error: DeliveryDelayedError | None = None
        self._news = asyncio.Event()

    @property
    def waits(self) -> bool:
        return not self.granted and self.error is None

    def wake(self) -> None:
        self._news.set()

    async def sleep(self, seconds: float | None = None) -> None:
        """Until it is woken, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()


class LeasedLimit(Limit):
    """``_level`` is the bucket's as the store last told it, refilled since."""

    def __init__(self, permits: Permits, bucket: Bucket) -> None:
        super().__init__(bucket.rate, bucket.burst)
        self._permits = permits
        self._bucket = bucket
        self._urgent: deque[_Call] = deque()
        self._partial: deque[_Call] = deque()
        self._asking: _Call | None = None
        self._held: deque[float] = deque()
        self._unused = 0
        self._urgent_at = self._partial_at = -math.inf
        self._recent, self._used_at = 0.0, 0.0

    @override
    async def _take(self, *, urgent: bool) -> None:
        if urgent and self._closed_until - (now := asyncio.get_running_loop().time()) > LONGEST_WAIT:
            raise self._closed(now)
        call = _Call()
        queue = self._urgent if urgent else self._partial
        queue.append(call)
        self._grant()
        if call.waits and self._asking is not None:
            self._asking.wake()
        try:
            while call.waits:
                await self._wait(call)
        except asyncio.CancelledError:
            if call.granted:
                self.put_back()
            raise
        finally:
            if not call.granted:
                queue.remove(call)
            if self._asking is call:
                self._asking = None
            if self._asking is None and (next_queue := self._urgent or self._partial):
                next_queue[0].wake()
        if call.error is not None:
            raise call.error

    @override
    async def try_take(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._urgent or now < self._closed_until:
            return False
        if self._use_held(now):
            return True
        if now < self._urgent_at or not await self._ask_for_one():
            return False
        self._count(now)
        return True

    @override
    def put_back(self) -> None:
        self._hold(1)

    @override
    async def close_for(self, seconds: float) -> None:
        self._close_until(asyncio.get_running_loop().time() + seconds)
        with contextlib.suppress(StoreUnavailableError):  # the others will hear it from the platform
            await self._permits.close(self._bucket, seconds)

    async def _wait(self, call: _Call) -> None:
        if self._asking is None:
            self._asking = call
        if self._asking is not call:
            await call.sleep()
            return
        now = asyncio.get_running_loop().time()
        wait = max(self._urgent_at if self._urgent else self._partial_at, self._closed_until) - now
        if wait > 0:
            await call.sleep(wait)
        else:
            await self._ask_for_all(call)

    async def _ask_for_all(self, call: _Call) -> None:
        """A call that is cancelled waits for the answer: what it brings is for the others."""
        asking = asyncio.create_task(self._fetch(), name="permits")
        asking.add_done_callback(lambda _: call.wake())
        try:
            while not asking.done():
                await call.sleep()  # as those wait who are served before and after it
        except asyncio.CancelledError:
            await asking
            raise
        asking.result()

    async def _fetch(self) -> None:
        aged = math.exp(self._used_at - asyncio.get_running_loop().time())
        spare = round(min(SPARE * self._recent * aged, MOST_SPARE * self._burst))
        self._hold(await self._lease(len(self._urgent), len(self._partial) + spare))

    async def _ask_for_one(self) -> bool:
        asking = asyncio.create_task(self._lease(1, 0), name="permit")
        try:
            return await asyncio.shield(asking) > 0
        except asyncio.CancelledError:
            self._hold(await asking)
            raise

    async def _lease(self, urgent: int, partial: int) -> int:
        """How many permits the store grants now; none while it is away."""
        loop = asyncio.get_running_loop()
        self._drop_lapsed(loop.time())
        unused, self._unused = self._unused, 0
        try:
            lease = await self._permits.lease(self._bucket, urgent=urgent, partial=partial, unused=unused)
        except StoreUnavailableError:
            self._urgent_at = self._partial_at = loop.time() + ASK_AGAIN
            return 0
        now = loop.time()
        self._level, self._measured_at = lease.level, now
        self._urgent_at = now + self._until_level(1.0, APART)
        self._partial_at = now + self._until_level(self._partial_from, PARTIAL_APART)
        if lease.closed > 0:
            self._close_until(now + lease.closed)
        return lease.urgent + lease.partial

    def _until_level(self, level: float, apart: float) -> float:
        missing = level - self._level
        return missing / self._rate + random.uniform(0, apart) if missing > 0 else 0.0  # noqa: S311 - no secret

    def _hold(self, permits: int) -> None:
        until = asyncio.get_running_loop().time() + HELD_FOR
        self._held.extend(until for _ in range(permits))
        self._grant()

    def _use_held(self, now: float) -> bool:
        self._drop_lapsed(now)
        if not self._held:
            return False
        self._held.popleft()
        self._count(now)
        return True

    def _drop_lapsed(self, now: float) -> None:
        while self._held and self._held[0] <= now:
            self._held.popleft()
            self._unused += 1

    def _count(self, now: float) -> None:
        """Those used in about the last second: each counts for less as it ages."""
        self._recent = self._recent * math.exp(self._used_at - now) + 1
        self._used_at = now

    def _close_until(self, until: float) -> None:
        now = asyncio.get_running_loop().time()
        self._closed_until = max(self._closed_until, until)
        if self._closed_until - now > LONGEST_WAIT:
            for call in self._urgent:
                call.error = self._closed(now)
                call.wake()

    def _grant(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            return
        for queue in (self._urgent, self._partial):
            while queue and self._use_held(now):
                call = queue.popleft()
                call.granted = True
                call.wake()
