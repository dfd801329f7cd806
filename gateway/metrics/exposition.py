"""All that is counted in this process, in the text format."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from conversation.directory import Directory
from conversation.stores.conversations import Conversations, Queue
from conversation.stores.port import StoreUnavailableError
from gateway import __version__
from gateway.metrics.canary import CanaryMetrics
from gateway.metrics.loop import LoopMetrics
from gateway.metrics.models import ModelMetrics
from gateway.metrics.platforms import PlatformMetrics
from gateway.metrics.session import SessionMetrics
from gateway.metrics.store import StoreMetrics
from gateway.metrics.transports import Connections
from gateway.metrics.turns import TurnMetrics
from gateway.metrics.webhooks import WebhookMetrics

PATIENCE = 5.0
"""Seconds that the store may take to tell what waits: half of a scrape's usual timeout."""

Bot = tuple[str, str]
"""Its channel and its id."""


class Metrics:
    """``gateway.observers.Watcher`` and ``conversation.observer.SessionObserver``. ``run`` measures the loop."""

    def __init__(self) -> None:
        self._webhooks, self._turns, self._loop = WebhookMetrics(), TurnMetrics(), LoopMetrics()
        self._session = SessionMetrics()
        self.models, self.platforms, self.store = ModelMetrics(), PlatformMetrics(), StoreMetrics()
        self.canary = CanaryMetrics()
        self.connections: Callable[[], Mapping[Bot, bool]] = dict
        """Those by which events come, and whether they stand; the wiring's."""
        self.answered = self._webhooks.answered
        self.turn_completed = self._turns.turn_completed
        self.text_shown = self._turns.text_shown
        self.turn_put_back = self._turns.turn_put_back
        self.lease = self._session.lease
        self.run = self._loop.run
        self.lag = self._loop.lag

    async def exposed(self, running: int, bots: Collection[Bot], conversations: Conversations) -> bytes:
        """All of it in the text format. What waits is left out where the store cannot tell."""
        self._turns.expect(bots)
        self.platforms.keep(bots)
        queues = await _queues([bot for _, bot in bots], conversations)
        registry = CollectorRegistry()
        registry.register(_Now(running, queues))
        registry.register(Connections(self.connections()))
        for metrics in (
            self._webhooks,
            self._turns,
            self.models,
            self.platforms,
            self.store,
            self._session,
            self._loop,
            self.canary,
        ):
            registry.register(metrics)
        return await asyncio.to_thread(generate_latest, registry)  # 10 ms for a thousand series


class _Now(Collector):
    """What is so at this moment. Without ``queues`` the store is away."""

    def __init__(self, running: int, queues: dict[str, Queue] | None) -> None:
        self._running = running
        self._queues = queues

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(
            "turnkeeper_build_info", "1, with the version that runs.", labels=["version"]
        )
        build.add_metric([__version__], 1)
        yield build
        yield GaugeMetricFamily(
            "turnkeeper_replies_in_flight", "Turns that run in this process now.", value=self._running
        )
        yield GaugeMetricFamily(
            "turnkeeper_store_up",
            "1 if the store answered this scrape, else 0.",
            value=self._queues is not None,
        )
        depth = GaugeMetricFamily(
            "turnkeeper_queue_depth",
            "Turns of a bot that wait, in all processes of one store.",
            labels=["bot"],
        )
        age = GaugeMetricFamily(
            "turnkeeper_queue_oldest_age_seconds",
            "For how long the turn of a bot has waited that is next as soon as there is room; 0 if none is.",
            labels=["bot"],
        )
        for bot, queue in (self._queues or {}).items():
            depth.add_metric([bot], queue.waiting)
            age.add_metric([bot], max(0.0, queue.oldest_age))
        yield depth
        yield age


async def _queues(bots: Collection[str], conversations: Conversations) -> dict[str, Queue] | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await conversations.queues(bots)
    except (StoreUnavailableError, TimeoutError):
        return None


def metrics_route(
    metrics: Metrics, directory: Directory, bots: Iterable[Bot], conversations: Conversations
) -> web.RouteDef:
    """``bots``: those on platforms, as they are now."""

    async def exposed(_: web.Request) -> web.Response:
        body = await metrics.exposed(directory.running, list(bots), conversations)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", exposed)
