"""What is counted, and how Prometheus reads it.

Invariants:

- to count is to add to a number that was looked up before: it neither waits, fails nor locks, as all of it happens on
  the event loop's thread; who reads does so from another, and takes numbers as they are at that moment;
- a family has at most ``MOST_SERIES`` sets of labels, whatever somebody makes of the configuration: what comes after
  them is counted together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

MOST_SERIES = 10_000

BEYOND = "(more)"
"""The labels of what is counted together."""


class Count:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        self.value += 1


class Distribution:
    """How many observed values were at most each of ``bounds``, and their sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Negative ones, which two clocks may make, count as 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Counters:
    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self._name, self._help, self._labels = name, help, labels
        self._counts: dict[tuple[str, ...], Count] = {}

    def of(self, *labels: str) -> Count:
        """To be looked up once and kept: that costs more than to count."""
        count = self._counts.get(labels)
        if count is None:
            if len(self._counts) >= MOST_SERIES:
                labels = (BEYOND,) * len(labels)
            count = self._counts.setdefault(labels, Count())
        return count

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count.value)
        yield family


class Histograms:
    """``bounds`` rise. With ``only_observed`` nothing is told of labels that were looked up and never observed."""

    def __init__(
        self,
        name: str,
        help: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        *,
        only_observed: bool = False,
    ) -> None:
        self._name, self._help, self._labels = name, help, labels
        self._only_observed = only_observed
        self._bounds = tuple(bounds)
        self._names = [*(repr(float(bound)) for bound in bounds), "+Inf"]
        self._distributions: dict[tuple[str, ...], Distribution] = {}

    def of(self, *labels: str) -> Distribution:
        """To be looked up once and kept."""
        found = self._distributions.get(labels)
        if found is None:
            if len(self._distributions) >= MOST_SERIES:
                labels = (BEYOND,) * len(labels)
            found = self._distributions.setdefault(labels, Distribution(self._bounds))
        return found

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._help, labels=self._labels)
        for labels, one in list(self._distributions.items()):
            if self._only_observed and not any(one.counts):
                continue
            up_to = list(zip(self._names, map(float, accumulate(tuple(one.counts))), strict=True))
            family.add_metric(labels, up_to, one.total)
        yield family
