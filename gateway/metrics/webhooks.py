"""Webhooks: how they were answered, and how fast."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from gateway.metrics.families import Count, Counters, Distribution, Histograms
from gateway.verdict import What

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 3.0)
"""Slack and Lark both give up after 3 s."""


class WebhookMetrics:
    def __init__(self) -> None:
        self._acks = Histograms(
            "turnkeeper_webhook_ack_seconds",
            "Time from a webhook's whole body to its answer.",
            ["channel"],
            _BOUNDS,
        )
        self._answers = Counters(
            "turnkeeper_webhooks",
            "Answered webhooks. Result: accepted, duplicate, refused, ignored, challenge, rejected or unavailable;"
            " the reason is that of the admission header, and of a rejection.",
            ["channel", "bot", "result", "reason"],
        )
        self._known: dict[tuple[str, str, str, str], tuple[Distribution, Count]] = {}

    def answered(self, channel: str, bot: str, what: What, reason: str, seconds: float) -> None:
        """As ``gateway.observers.Watcher``."""
        labels = channel, bot, what, reason
        known = self._known.get(labels)
        if known is None:
            known = self._known[labels] = self._acks.of(channel), self._answers.of(*labels)
        known[0].observe(seconds)
        known[1].value += 1

    def collect(self) -> Iterator[Metric]:
        yield from self._acks.collect()
        yield from self._answers.collect()
