"""``/metrics``: how this process fares, as Prometheus reads it.

Invariants:

- no text, no person and no conversation is a label; bots are, whose number the configuration bounds;
- counting neither waits nor fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from conversation.directory import Directory
from conversation.observer import Observer
from conversation.stores.conversations import Conversations
from conversation.stores.port import StoreUnavailableError
from conversation.turn import Claim, Final

PROBE_EVERY = 0.5
"""Seconds between two measurements of the loop's lag."""

PATIENCE = 5.0
"""Seconds that the store may take to tell what waits: half of a scrape's usual timeout."""

_ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 3.0)
"""Slack and Lark both give up after 3 s."""

_TURN_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Metrics:
    """``conversation.observer.Observer``, and told of every webhook's answer. ``run`` measures the loop."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._acks = Histogram(
            "turnkeeper_webhook_ack_seconds",
            "Time from a webhook's whole body to its answer.",
            ["channel"],
            buckets=_ACK_BUCKETS,
            registry=registry,
        )
        self._admissions = Counter(
            "turnkeeper_webhooks_total",
            "Answered webhooks. Result: accepted, duplicate, refused, ignored, challenge, rejected or unavailable.",
            ["channel", "bot", "result"],
            registry=registry,
        )
        self._turns = Counter(
            "turnkeeper_turns_total",
            "Turns that have their outcome: answered, obeyed, failed, refused, cancelled or dead (a dead letter).",
            ["channel", "bot", "outcome", "reason"],
            registry=registry,
        )
        self._put_back = Counter(
            "turnkeeper_turns_put_back_total",
            "Turns that are tried again: the platform did not take the answer, or there is a bug.",
            ["channel", "bot"],
            registry=registry,
        )
        self._taken_over = Counter(
            "turnkeeper_turns_taken_over_total",
            "Turns that ended here after the process or session that ran them before was gone.",
            ["channel"],
            registry=registry,
        )
        self._waited = Histogram(
            "turnkeeper_turn_wait_seconds",
            "Time from a message's admission to the beginning of its turn.",
            ["channel"],
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        self._ran = Histogram(
            "turnkeeper_turn_duration_seconds",
            "Time from the beginning of a turn to its outcome.",
            ["channel"],
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        self._lag = Histogram(
            "turnkeeper_event_loop_lag_seconds",
            "How much later than asked for the event loop woke a timer.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
            registry=registry,
        )
        self._in_flight = Gauge(
            "turnkeeper_replies_in_flight", "Turns that run in this process now.", registry=registry
        )
        self._depth = Gauge(
            "turnkeeper_queue_depth",
            "Turns of a bot that wait, in all processes of one store.",
            ["bot"],
            registry=registry,
        )
        self._oldest = Gauge(
            "turnkeeper_queue_oldest_age_seconds",
            "For how long the turn of a bot has waited that is next as soon as there is room; 0 if none is.",
            ["bot"],
            registry=registry,
        )
        self._store_up = Gauge(
            "turnkeeper_store_up", "1 if the store answered this scrape, else 0.", registry=registry
        )

        self._resolved: dict[tuple[str, str, str], tuple[Callable[[float], None], Callable[[], None]]] = {}
        """By channel, bot and result: to find labels costs more than to count."""
        self._ended: dict[
            tuple[str, str, str, str],
            tuple[Callable[[], None], Callable[[float], None], Callable[[float], None]],
        ] = {}

    def answered(self, channel: str, bot: str, what: str, seconds: float) -> None:
        """A webhook was answered, as ``StatusBook.answered`` is told."""
        known = self._resolved.get((channel, bot, what))
        if known is None:
            known = self._acks.labels(channel).observe, self._admissions.labels(channel, bot, what).inc
            self._resolved[channel, bot, what] = known
        observe, inc = known
        observe(seconds)
        inc()

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        channel, bot, outcome = claim.key.channel, claim.key.bot, final.outcome
        if "~" in bot:  # a hidden one
            return
        ended = channel, bot, outcome.kind, outcome.reason or ""
        known = self._ended.get(ended)
        if known is None:
            known = self._ended[ended] = (
                self._turns.labels(*ended).inc,
                self._waited.labels(channel).observe,
                self._ran.labels(channel).observe,
            )
        count, observe_wait, observe_run = known
        count()
        observe_wait(max(0.0, waited))  # two clocks: the store's and this machine's
        observe_run(max(0.0, ran))
        if claim.last_send_at is not None:
            self._taken_over.labels(channel).inc()

    def turn_put_back(self, claim: Claim) -> None:
        if "~" not in claim.key.bot:
            self._put_back.labels(claim.key.channel, claim.key.bot).inc()

    async def run(self) -> None:
        """Measure the loop's lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE_EVERY
            await asyncio.sleep(PROBE_EVERY)
            self._lag.observe(max(0.0, loop.time() - due))

    async def exposed(self, running: int, bots: Collection[str], conversations: Conversations) -> bytes:
        """All of it in the text format. What waits is left out where the store cannot tell."""
        self._in_flight.set(running)
        self._depth.clear()
        self._oldest.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                queues = await conversations.queues(bots)
        except (StoreUnavailableError, TimeoutError):
            self._store_up.set(0)
        else:
            self._store_up.set(1)
            for bot, queue in queues.items():
                self._depth.labels(bot).set(queue.waiting)
                self._oldest.labels(bot).set(max(0.0, queue.oldest_age))
        return generate_latest(self._registry)


class Observers:
    """Tells several."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        for observer in self._observers:
            observer.turn_completed(claim, final, waited, ran)

    def turn_put_back(self, claim: Claim) -> None:
        for observer in self._observers:
            observer.turn_put_back(claim)


def metrics_route(
    metrics: Metrics, directory: Directory, bots: Iterable[tuple[str, str]], conversations: Conversations
) -> web.RouteDef:
    """``bots``: channel and id of those on platforms, as they are now."""

    async def exposed(_: web.Request) -> web.Response:
        body = await metrics.exposed(directory.running, [bot for _, bot in bots], conversations)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", exposed)
