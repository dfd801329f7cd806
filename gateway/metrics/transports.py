"""The connections by which events come instead of by webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override


class Connections(Collector):
    """``standing``: whether it stands now, by channel and bot."""

    def __init__(self, standing: Mapping[tuple[str, str], bool]) -> None:
        self._standing = dict(standing)

    @override
    def collect(self) -> Iterator[Metric]:
        connected = GaugeMetricFamily(
            "turnkeeper_transport_connected",
            "1 if the connection by which this bot's events come to this process stands, else 0.",
            labels=["channel", "bot"],
        )
        for (channel, bot), stands in self._standing.items():
            connected.add_metric([channel, bot], stands)
        yield connected
