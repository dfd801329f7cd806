"""What Prometheus would read."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from gateway.metrics import Metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def exposed(metrics: Metrics, store: MemoryStore | None = None, channel: str = "slack") -> Samples:
    conversations = (store or MemoryStore(SystemClock())).conversations
    return read((await metrics.exposed(3, [(channel, "helpdesk")], conversations)).decode())
