"""The store: how long its operations take, and how often it cannot be reached."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter
from typing import TypeVar, cast

from prometheus_client.core import Metric

from conversation.stores.conversations import Conversations
from conversation.stores.port import Store, StoreUnavailableError, TurnStore
from conversation.stores.records import Records
from conversation.stores.transcripts import Transcripts
from gateway.metrics.families import Count, Counters, Distribution, Histograms

_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

P = TypeVar("P")


class StoreMetrics:
    def __init__(self) -> None:
        self._durations = Histograms(
            "turnkeeper_store_operation_seconds",
            "Time that an operation of the store took, whatever came of it.",
            ["operation"],
            _BOUNDS,
            only_observed=True,
        )
        self._failures = Counters(
            "turnkeeper_store_unavailable",
            "Operations that failed because the store could not be reached, or could not write.",
            ["operation"],
        )

    def measured(self, store: Store) -> Store:
        """The store, with the ports measured that a reply goes through."""
        return _MeasuredStore(store, self)

    def port(self, name: str, port: object, engine: P) -> P:
        """The engine's implementation of a port, with every operation of it measured."""
        return cast("P", _Measured(name, port, engine, self._durations, self._failures))

    def collect(self) -> Iterator[Metric]:
        yield from self._durations.collect()
        yield from self._failures.collect()


class _MeasuredStore:
    """``conversation.stores.port.Store``"""

    def __init__(self, engine: Store, metrics: StoreMetrics) -> None:
        self.exclusive = engine.exclusive
        self.turns = metrics.port("turns", TurnStore, engine.turns)
        self.transcripts = metrics.port("transcripts", Transcripts, engine.transcripts)
        self.records = metrics.port("records", Records, engine.records)
        self.conversations = metrics.port("conversations", Conversations, engine.conversations)
        self.events, self.audit = engine.events, engine.audit
        self.privacy, self.permits = engine.privacy, engine.permits
        self.open, self.watch, self.close = engine.open, engine.watch, engine.close


class _Measured:
    """Any port: its operations are those that are awaited."""

    def __init__(
        self, of: str, port: object, engine: object, durations: Histograms, failures: Counters
    ) -> None:
        for name, _ in inspect.getmembers(port, inspect.iscoroutinefunction):
            label = f"{of}.{name}"
            setattr(self, name, _timed(engine, name, durations.of(label), failures.of(label)))


def _timed(
    engine: object, name: str, duration: Distribution, failures: Count
) -> Callable[..., Awaitable[object]]:
    observe = duration.observe

    async def timed(*args: object, **options: object) -> object:
        asked_at = perf_counter()
        try:
            return await getattr(engine, name)(*args, **options)
        except StoreUnavailableError:
            failures.value += 1
            raise
        finally:
            observe(perf_counter() - asked_at)

    return timed
