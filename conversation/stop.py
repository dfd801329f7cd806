"""How a turn that runs is told to end before its answer is complete."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conversation.turn import Reason


class StoppedError(Exception):
    """Somebody wanted the reply to end. ``reason`` is one of ``turn.STOPPING``."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Stop:
    """Of one turn. ``now`` may be called at any time, and counts once."""

    def __init__(self) -> None:
        self._reason: Reason | None = None
        self._patience: asyncio.Timeout | None = None
        self._told = asyncio.Event()

    def now(self, reason: Reason) -> None:
        if self._reason is None:
            self._reason = reason
            self._told.set()
            if self._patience is not None:
                self._patience.reschedule(0)

    async def told(self, within: float) -> None:
        """Return when the turn was stopped, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._told.wait()

    @asynccontextmanager
    async def heeded(self) -> AsyncIterator[None]:
        """What runs inside is cancelled when the turn is stopped, which raises StoppedError."""
        self._patience = asyncio.timeout(None if self._reason is None else 0)
        try:
            async with self._patience:
                yield
        except TimeoutError:
            if self._reason is None or not self._patience.expired():
                raise
            raise StoppedError(self._reason) from None
        finally:
            self._patience = None
