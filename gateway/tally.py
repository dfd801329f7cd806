"""What is counted of a bot: values that can be added up, whichever process counted them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from conversation.stored import Stored

HOUR = 3600.0

_STEP = 1.25
"""Ratio of two neighbouring bounds of durations: a quantile is told that exactly."""

_BOUNDS = tuple(_STEP**bucket / 1000 for bucket in range(65))

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """Times in seconds since 1970, 0 for never. ``acks`` by admission, ``replies`` by outcome, ``notices`` and the
    rest by reason. ``slowness``: answers to webhooks by hour and duration, of this hour and the one before.
    """

    challenge_at: float = 0.0
    first_event_at: float = 0.0
    last_event_at: float = 0.0
    last_error_at: float = 0.0
    last_error: str = ""
    acks: Counts = field(default_factory=dict)
    replies: Counts = field(default_factory=dict)
    notices: Counts = field(default_factory=dict)
    rejected: Counts = field(default_factory=dict)
    ignored: Counts = field(default_factory=dict)
    seen_events: tuple[str, ...] = ()
    slowness: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    changed_at: float = 0.0

    def plus(self, other: Tally) -> Tally:
        """Both together; which comes first does not matter."""
        newer = max(self, other, key=lambda one: one.last_error_at)
        return Tally(
            challenge_at=max(self.challenge_at, other.challenge_at),
            first_event_at=_earliest(self.first_event_at, other.first_event_at),
            last_event_at=max(self.last_event_at, other.last_event_at),
            last_error_at=newer.last_error_at,
            last_error=newer.last_error,
            acks=_sum(self.acks, other.acks),
            replies=_sum(self.replies, other.replies),
            notices=_sum(self.notices, other.notices),
            rejected=_sum(self.rejected, other.rejected),
            ignored=_sum(self.ignored, other.ignored),
            seen_events=tuple(sorted({*self.seen_events, *other.seen_events})),
            slowness=_newest_hours(self.slowness, other.slowness),
            changed_at=max(self.changed_at, other.changed_at),
        )

    def ack_p99(self) -> float | None:
        """Seconds within which 99 of 100 webhooks of the last one to two hours were answered."""
        together: Counter[int] = Counter()
        for durations in self.slowness.values():
            together.update(durations)
        left = math.ceil(together.total() * 0.99)
        for bucket, count in sorted(together.items()):
            left -= count
            if left <= 0:
                return float(_STEP**bucket) / 1000
        return None


stored_tally = Stored("turnkeeper.status.v1", Tally)


def bucket(seconds: float) -> int:
    """Durations of one bucket are at most ``_STEP ** bucket`` milliseconds; all below 1 ms are in the first, and all
    above half an hour in the last.
    """
    return bisect_left(_BOUNDS, seconds)


def _sum(one: Counts, other: Counts) -> Counts:
    return dict(Counter(one) + Counter(other))


def _earliest(one: float, other: float) -> float:
    return min(one, other) if one and other else one or other


def _newest_hours(
    one: Mapping[int, Mapping[int, int]], other: Mapping[int, Mapping[int, int]]
) -> Mapping[int, Mapping[int, int]]:
    hours = sorted({*one, *other})
    return {
        of: dict(Counter(one.get(of, {})) + Counter(other.get(of, {}))) for of in hours if of >= hours[-1] - 1
    }
