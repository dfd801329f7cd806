"""Platforms: what is asked of them, what comes of it, and how long calls wait for the budget."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from channels.watch import PlatformWatch, Result
from gateway.metrics.families import Count, Counters, Distribution, Histograms

_CALL_BOUNDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""A call is given up after 10 s."""

_WAIT_BOUNDS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class PlatformMetrics:
    def __init__(self) -> None:
        self._calls = Counters(
            "turnkeeper_platform_calls",
            "Requests to a platform. Result: ok; limited by the platform; delayed (not done, or not answered);"
            " unknown (perhaps done); stopped by the person; refused for good; unauthorized: the bot's credentials.",
            ["channel", "bot", "method", "result"],
        )
        self._durations = Histograms(
            "turnkeeper_platform_call_seconds",
            "Time from a request to a platform to its answer.",
            ["channel", "method"],
            _CALL_BOUNDS,
        )
        self._waits = Histograms(
            "turnkeeper_budget_wait_seconds",
            "Time for which a call waited until the platform's limits allowed it. Kind: urgent (first and final"
            " texts) or partial.",
            ["channel", "bot", "kind"],
            _WAIT_BOUNDS,
            only_observed=True,
        )
        self._bots: dict[tuple[str, str], _Bot] = {}

    def watch(self, channel: str, bot: str) -> PlatformWatch:
        """Who counts what this bot asks of its platform; the same one for every life of it."""
        found = self._bots.get((channel, bot))
        if found is None:
            waits = self._waits.of(channel, bot, "urgent"), self._waits.of(channel, bot, "partial")
            found = self._bots[channel, bot] = _Bot(channel, bot, self._calls, self._durations, *waits)
        return found

    def keep(self, bots: Collection[tuple[str, str]]) -> None:
        """Those of these bots alone have credentials that anybody has to care for."""
        for gone in self._bots.keys() - set(bots):
            self._bots[gone].credentials_valid = None

    def collect(self) -> Iterator[Metric]:
        for family in (self._calls, self._durations, self._waits):
            yield from family.collect()
        valid = GaugeMetricFamily(
            "turnkeeper_bot_credentials_valid",
            "1 if the platform took the bot's credentials when they were last used, else 0.",
            labels=["channel", "bot"],
        )
        for labels, bot in list(self._bots.items()):
            if bot.credentials_valid is not None:
                valid.add_metric(labels, bot.credentials_valid)
        yield valid


class _Bot:
    """``channels.watch.PlatformWatch``"""

    def __init__(
        self,
        channel: str,
        bot: str,
        calls: Counters,
        durations: Histograms,
        urgent: Distribution,
        partial: Distribution,
    ) -> None:
        self._channel, self._bot = channel, bot
        self._calls, self._durations = calls, durations
        self._urgent, self._partial = urgent, partial
        self._known: dict[tuple[str, Result], tuple[Count, Distribution]] = {}
        self.credentials_valid: bool | None = None
        """None: they were not used yet."""

    def called(self, method: str, result: Result, seconds: float) -> None:
        known = self._known.get((method, result))
        if known is None:
            known = self._known[method, result] = (
                self._calls.of(self._channel, self._bot, method, result),
                self._durations.of(self._channel, method),
            )
        known[0].value += 1
        known[1].observe(seconds)
        if result == "ok":
            self.credentials_valid = True
        elif result == "unauthorized":
            self.credentials_valid = False

    def revoked(self) -> None:
        self.credentials_valid = False

    def waited(self, urgent: bool, seconds: float) -> None:
        (self._urgent if urgent else self._partial).observe(seconds)
