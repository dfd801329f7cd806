"""How the stand-ins limit calls: token buckets, and the memory of what a client was told.

Invariant: between the refusal and the end of the time it named, every call is refused too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

IN_FLIGHT_GRACE = 0.25
"""Seconds after a refusal in which a further call may already have been on its way."""

STORM = 3
"""Refused calls in a row, none of which waited, after which a client is hammering."""


class Bucket:
    """``capacity`` calls at once, refilled with ``per_second``."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._level = capacity
        self._measured_at: float | None = None

    def missing_seconds(self, now: float) -> float:
        """Seconds until one call fits; 0 if it fits now."""
        if self._measured_at is not None:
            refill = max(0.0, now - self._measured_at) * self._per_second
            self._level = min(self._capacity, self._level + refill)
        self._measured_at = now
        return max(0.0, (1 - self._level) / self._per_second)

    def take(self) -> None:
        self._level -= 1


@dataclass(frozen=True, slots=True)
class TooMany:
    """``retry_after`` in whole seconds. ``early``: the client was told to wait and did not; ``storm``: again."""

    retry_after: int
    early: bool
    storm: bool


class Quota:
    """All limits of one method (or one chat, or one card)."""

    def __init__(self, *buckets: Bucket) -> None:
        self._buckets = buckets
        self._refused_at = 0.0
        self._closed_until = 0.0
        self._early_in_a_row = 0

    def ask(self, now: float) -> TooMany | None:
        """Count one call. None if it is allowed."""
        if now < self._closed_until:
            early = now > self._refused_at + IN_FLIGHT_GRACE
            self._early_in_a_row += early
            return TooMany(
                retry_after=max(1, math.ceil(self._closed_until - now)),
                early=early,
                storm=self._early_in_a_row > STORM,
            )
        missing = max(bucket.missing_seconds(now) for bucket in self._buckets)
        if missing > 0:
            return self.close(now, missing)
        for bucket in self._buckets:
            bucket.take()
        self._early_in_a_row = 0
        return None

    def close(self, now: float, seconds: float) -> TooMany:
        """Refuse this call and all others for so long."""
        retry_after = max(1, math.ceil(seconds))
        self._refused_at = now
        self._closed_until = now + retry_after
        return TooMany(retry_after=retry_after, early=False, storm=False)
