"""The event loop: how late it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client.core import Metric

from conversation.directory import MOST_LAG
from gateway.metrics.families import Histograms

PROBE_EVERY = 0.5
"""Seconds between two measurements."""

AGAIN_AFTER = 0.05
"""Seconds until the next one after the loop was too late, so that it is soon known to have caught up."""

_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopMetrics:
    def __init__(self) -> None:
        self._lags = Histograms(
            "turnkeeper_event_loop_lag_seconds",
            "How much later than asked for the event loop woke a timer.",
            [],
            _BOUNDS,
        )
        self._observed = self._lags.of()
        self._latest = 0.0

    def lag(self) -> float:
        """Seconds by which the loop was late when it was last measured. Asked for every event."""
        return self._latest

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE_EVERY
            await asyncio.sleep(PROBE_EVERY)
            self._latest = max(0.0, loop.time() - due)
            self._observed.observe(self._latest)
            while self._latest > MOST_LAG:
                due = loop.time() + AGAIN_AFTER
                await asyncio.sleep(AGAIN_AFTER)
                self._latest = max(0.0, loop.time() - due)

    def collect(self) -> Iterator[Metric]:
        yield from self._lags.collect()
