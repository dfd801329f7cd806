"""This process's session at the store: whether its lease is renewed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from conversation.observer import Renewal
from gateway.metrics.families import Counters


class SessionMetrics:
    """``conversation.observer.SessionObserver``"""

    def __init__(self) -> None:
        self._renewals = Counters(
            "turnkeeper_lease_renewals",
            "Renewals of this process's lease on its turns. Result: renewed; failed, as the store was away; lost, as"
            " it was over and others have the turns.",
            ["result"],
        )
        results: tuple[Renewal, ...] = ("renewed", "failed", "lost")
        self._counts = {result: self._renewals.of(result) for result in results}
        self._renewed_at = time.time()

    def lease(self, result: Renewal) -> None:
        self._counts[result].value += 1
        if result == "renewed":
            self._renewed_at = time.time()

    def collect(self) -> Iterator[Metric]:
        yield from self._renewals.collect()
        yield GaugeMetricFamily(
            "turnkeeper_lease_renewed_timestamp_seconds",
            "When this process last renewed its lease, or began, in seconds since 1970: its heartbeat.",
            value=self._renewed_at,
        )
