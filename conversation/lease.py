"""Until when this process may write to platforms.

Invariant: no call that changes something on a platform starts unless the session's lease, as this machine's own
clock sees it, lasts longer than the call may take. A process that was frozen, or is cut off from its store,
therefore falls silent before another takes its turns over.

The clock is CLOCK_BOOTTIME: it goes on while the machine sleeps, and nobody sets it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import ContextVar


def boottime() -> float:
    """Seconds since the machine started; falls back to the monotonic clock where there is no such clock."""
    return time.clock_gettime(_BOOTTIME)


_BOOTTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """A session's lease. One that is never extended lasts for ever: of a store that nobody else can open."""

    def __init__(self, now: Callable[[], float] = boottime) -> None:
        self.now = now
        self._until = math.inf
        self._extended = asyncio.Event()

    def extend(self, asked_at: float, seconds: float) -> None:
        """The store granted ``seconds``, counted from before it was asked, by ``now``."""
        self._until = asked_at + seconds
        self._extended.set()
        self._extended = asyncio.Event()

    async def outlasts(self, seconds: float) -> None:
        """Return once the lease lasts so long from now: at once, or after it has been renewed."""
        while self._until - self.now() < seconds:
            await self._extended.wait()


_current: ContextVar[Lease | None] = ContextVar("lease", default=None)


def hold(lease: Lease) -> None:
    """Everything that the current task and its children write from now on is bound to this lease."""
    _current.set(lease)


async def before_write(seconds: float) -> None:
    """Awaited by channels right before a call that may take so long. Returns at once outside of a turn."""
    lease = _current.get()
    if lease is not None:
        await lease.outlasts(seconds)
