"""How often a platform may be called, counted for all replicas of a store together.

Invariants:

- permits refill evenly, up to ``burst``, in the store's time; a bucket that nobody asked for long is full;
- a partial permit is granted only above the ``reserve``, which is left to urgent calls of all replicas;
- while a bucket is closed nobody is granted anything.

A lease whose answer is lost costs its permits, and the bucket makes up for it as it refills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted under one name. ``rate`` is in permits per second, ``burst`` and ``reserve`` in permits."""

    name: str
    rate: float
    burst: float
    reserve: float


@dataclass(frozen=True, slots=True)
class Lease:
    """What was granted, and how the bucket stands after that.

    ``level`` is what is left, in permits. ``closed`` is for how many seconds more the platform wants no call.
    """

    urgent: int
    partial: int
    level: float
    closed: float


class Permits(Protocol):
    async def lease(self, bucket: Bucket, *, urgent: int, partial: int, unused: int = 0) -> Lease:
        """Grant what can be granted now, up to so many urgent and so many partial permits, urgent ones first.

        ``unused`` permits of earlier leases are given back before. Raises StoreUnavailableError.
        """
        ...

    async def close(self, bucket: Bucket, seconds: float) -> None:
        """Grant nothing for so long, and no burst after it. Raises StoreUnavailableError."""
        ...
