"""How often a platform may be called: one ``Limit`` per app, workspace or tenant, and method.

Invariants:

- a call is made only with a permit; permits refill evenly, up to ``burst``;
- urgent calls (a reply's first and final text, opening and closing) go before partial ones, and partial ones
  leave a share of the bucket to them;
- among calls of one urgency the order is first come, first served: with n replies streaming, each gets every
  n-th permit, so the update interval stretches by itself;
- after ``Retry-After`` nobody calls the method until that time is over; if that is long, urgent calls are told
  so instead of waiting.

Where the bucket is: in this process (``OwnLimit``), or in a store that several processes share (``leased``).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from typing_extensions import override

from channels.watch import UNWATCHED
from conversation.outbound import LONGEST_WAIT, DeliveryDelayedError

RESERVED_FOR_URGENT = 0.2
"""Share of the bucket that partial updates never use."""

_ROUNDING = 1e-9
"""What a refill computed in floating point may lack of a whole permit."""


class Limit(ABC):
    """A token bucket. ``rate`` is in calls per second, ``burst`` in calls."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._partial_from = 1.0 + burst * RESERVED_FOR_URGENT
        self._level = burst
        self._measured_at: float | None = None
        self._closed_until = 0.0
        self.watch = UNWATCHED

    async def take(self, *, urgent: bool) -> None:
        """Return when the call may be made. Cancelling gives the permit back.

        Raises DeliveryDelayedError for an urgent call while the platform does not want any for long.
        """
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        await self._take(urgent=urgent)
        self.watch.waited(urgent, loop.time() - asked_at)

    @abstractmethod
    async def _take(self, *, urgent: bool) -> None:
        """As ``take``, unwatched."""

    @abstractmethod
    async def try_take(self) -> bool:
        """Take an urgent permit if one is free now."""

    @abstractmethod
    def put_back(self) -> None:
        """Return a permit that was not used."""

    @abstractmethod
    async def close_for(self, seconds: float) -> None:
        """Obey the platform's ``Retry-After``."""

    @property
    def held_back(self) -> float:
        """Seconds until an urgent call could be made, as far as is known here; 0 if one could be made now."""
        now = asyncio.get_running_loop().time()
        self._refill(now)
        return max(0.0, self._closed_until - now, (1.0 - self._level) / self._rate)

    def interval(self, shortest: float, sharing: int) -> float:
        """Seconds between two partial updates of one of ``sharing`` replies of this process.

        ``shortest`` while the bucket is full, stretching to the sustained rate as it empties.
        """
        self._refill(asyncio.get_running_loop().time())
        scarcity = 1 - self._level / self._burst
        return max(shortest, sharing / self._rate * scarcity)

    def _refill(self, now: float) -> None:
        if self._measured_at is not None:
            self._level = min(self._burst, self._level + (now - self._measured_at) * self._rate)
        self._measured_at = now

    def _closed(self, now: float) -> DeliveryDelayedError:
        return DeliveryDelayedError("the platform asked to wait", self._closed_until - now)


class OwnLimit(Limit):
    """Of a process that shares its budget with no other: nothing is asked of anybody."""

    def __init__(self, rate: float, burst: float) -> None:
        super().__init__(rate, burst)
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._partial: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @override
    async def _take(self, *, urgent: bool) -> None:
        loop = asyncio.get_running_loop()
        if urgent and self._closed_until - (now := loop.time()) > LONGEST_WAIT:
            raise self._closed(now)
        permit: asyncio.Future[None] = loop.create_future()
        (self._urgent if urgent else self._partial).append(permit)
        self._grant()
        try:
            await permit
        except asyncio.CancelledError:
            if permit.done() and not permit.cancelled():
                self.put_back()
            raise

    @override
    async def try_take(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._refill(now)
        free = not self._urgent and self._level >= 1 and now >= self._closed_until
        if free:
            self._level -= 1
        return free

    @override
    def put_back(self) -> None:
        self._level += 1
        self._grant()

    @override
    async def close_for(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._refill(now)
        self._level = min(self._level, 1.0)
        self._closed_until = max(self._closed_until, now + seconds)
        if self._closed_until - now > LONGEST_WAIT:
            for waiting in self._urgent:
                if not waiting.done():
                    waiting.set_exception(self._closed(now))
        self._grant()

    def _grant(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._refill(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if now < self._closed_until:
            if self._urgent or self._partial:
                self._timer = loop.call_at(self._closed_until, self._grant)
            return
        while queue := self._next_queue():
            missing = (1.0 if queue is self._urgent else self._partial_from) - self._level
            if missing > _ROUNDING:
                self._timer = loop.call_later(missing / self._rate, self._grant)
                return
            self._level -= 1
            queue.popleft().set_result(None)

    def _next_queue(self) -> deque[asyncio.Future[None]] | None:
        for queue in (self._urgent, self._partial):
            while queue and queue[0].done():
                queue.popleft()
            if queue:
                return queue
        return None
