"""Who changed what, in memory."""

from __future__ import annotations

from collections import deque
from itertools import islice

from conversation.clock import Clock
from conversation.stores.audit import AuditEntry, Deed


class MemoryAudit:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._position = 0
        self._entries: deque[AuditEntry] = deque()

    def forget(self, until: float, limit: int) -> None:
        """Up to ``limit`` entries of then or before."""
        for _ in range(limit):
            if not self._entries or self._entries[0].at > until:
                break
            self._entries.popleft()

    async def append(self, deed: Deed) -> None:
        self._position += 1
        self._entries.append(AuditEntry(self._position, self._clock.now(), deed))

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        newest_first = reversed(self._entries)
        below = (entry for entry in newest_first if position is None or entry.position < position)
        return tuple(islice(below, limit))
