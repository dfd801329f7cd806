"""The engines that every store test runs over. A further engine joins by one line in ``ENGINES``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conversation.clock import Clock
from conversation.stores.memory import MemoryStore
from conversation.stores.port import Store
from conversation.stores.redis import RedisStore
from conversation.stores.retention import Retention
from conversation.stores.sqlite import SqliteStore
from tests.conversation.stores.servers import cluster, fresh_namespace, valkey

MakeStore = Callable[[Path, Clock, Retention], Store]
"""A closed store of its own in an empty folder."""


def _memory(_folder: Path, clock: Clock, retention: Retention) -> Store:
    return MemoryStore(clock, retention=retention)


def _sqlite(folder: Path, clock: Clock, retention: Retention) -> Store:
    return SqliteStore(folder / "turnkeeper.db", clock, commit_every=0.0, retention=retention)


def _redis(_folder: Path, clock: Clock, retention: Retention) -> Store:
    return RedisStore(
        valkey().url, namespace=fresh_namespace(), clock=clock, partitions=1, retention=retention
    )


def _redis_in_partitions(_folder: Path, clock: Clock, retention: Retention) -> Store:
    return RedisStore(valkey().url, namespace=fresh_namespace(), clock=clock, retention=retention)


def _redis_cluster(_folder: Path, clock: Clock, retention: Retention) -> Store:
    return RedisStore(cluster().url, namespace=fresh_namespace(), clock=clock, retention=retention)


ENGINES: dict[str, MakeStore] = {"memory": _memory, "redis": _redis, "sqlite": _sqlite}

IN_PARTITIONS: dict[str, MakeStore] = {
    "redis in partitions": _redis_in_partitions,
    "redis cluster": _redis_cluster,
}
"""Engines that order events, and ready conversations, within each partition only: they keep every promise of the
port, but agree with the reference model on any history only while that is in one partition."""
