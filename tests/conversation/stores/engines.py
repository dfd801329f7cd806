"""The engines that every store test runs over. A further engine joins by one line in ``ENGINES``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conversation.clock import Clock
from conversation.stores.memory import MemoryStore
from conversation.stores.port import Store
from conversation.stores.redis import RedisStore
from conversation.stores.sqlite import SqliteStore
from tests.conversation.stores.servers import cluster, fresh_namespace, valkey

MakeStore = Callable[[Path, Clock], Store]
"""A closed store of its own in an empty folder."""

ENGINES: dict[str, MakeStore] = {
    "memory": lambda _, clock: MemoryStore(clock),
    "redis": lambda _, clock: RedisStore(
        valkey().url, namespace=fresh_namespace(), clock=clock, partitions=1
    ),
    "sqlite": lambda folder, clock: SqliteStore(folder / "turnkeeper.db", clock, commit_every=0.0),
}

IN_PARTITIONS: dict[str, MakeStore] = {
    "redis in partitions": lambda _, clock: RedisStore(
        valkey().url, namespace=fresh_namespace(), clock=clock
    ),
    "redis cluster": lambda _, clock: RedisStore(cluster().url, namespace=fresh_namespace(), clock=clock),
}
"""Engines that order events, and ready conversations, within each partition only: they keep every promise of the
port, but agree with the reference model on any history only while that is in one partition."""
