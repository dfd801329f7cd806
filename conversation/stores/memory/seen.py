"""The reference model's memory of messages, so that none is taken twice."""

from __future__ import annotations

from conversation.clock import Clock
from conversation.stores.port import SEEN_FOR


class Seen:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, float] = {}

    def is_new(self, id: str) -> bool:
        """Not seen in the last 24 hours; it is remembered."""
        now = self._clock.now()
        seen_at = self._seen.get(id)
        if seen_at is not None and now - seen_at < SEEN_FOR:
            return False
        self._seen[id] = now
        return True

    def forget(self, limit: int) -> None:
        old = [id for id, at in self._seen.items() if self._clock.now() - at >= SEEN_FOR]
        for id in old[:limit]:
            del self._seen[id]
