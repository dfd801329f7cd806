"""The canary's messages: how long their answers took, and why there was none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from prometheus_client.core import GaugeMetricFamily, Metric

from gateway.metrics.families import Counters, Histograms

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Failure = Literal["store", "refused", "late", "wrong"]
"""``store``: it was away. ``refused``: too many of the canary's own messages wait. ``late``: no answer in time.
``wrong``: another answer than was to be given.
"""

FAILURES: tuple[Failure, ...] = ("store", "refused", "late", "wrong")


class CanaryMetrics:
    """Nothing of it is exposed before ``expect``."""

    def __init__(self) -> None:
        self._answers = Histograms(
            "turnkeeper_canary_seconds",
            "Time from the admission of a message of the canary to its shown answer.",
            [],
            _BOUNDS,
        )
        self._failures = Counters(
            "turnkeeper_canary_failures",
            "Messages of the canary without their answer. Reason: store, refused, late or wrong.",
            ["reason"],
        )
        self._answered_at: float | None = None

    def expect(self) -> None:
        """There is a canary: an alert waits for the first failure, which Prometheus has to see rise from 0."""
        self._answers.of()
        for reason in FAILURES:
            self._failures.of(reason)

    def answered(self, seconds: float, now: float) -> None:
        self._answers.of().observe(seconds)
        self._answered_at = now

    def failed(self, reason: Failure) -> None:
        self._failures.of(reason).add()

    def collect(self) -> Iterator[Metric]:
        yield from self._answers.collect()
        yield from self._failures.collect()
        answered_at = GaugeMetricFamily(
            "turnkeeper_canary_last_success_timestamp_seconds",
            "When a message of the canary was last answered, in seconds since 1970; absent before the first.",
        )
        if self._answered_at is not None:
            answered_at.add_metric([], self._answered_at)
        yield answered_at
