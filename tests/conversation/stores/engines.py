"""The engines that every store test runs over. A further engine joins by one line in ``ENGINES``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conversation.clock import Clock
from conversation.stores.memory import MemoryStore
from conversation.stores.port import Store
from conversation.stores.sqlite import SqliteStore

MakeStore = Callable[[Path, Clock], Store]
"""A closed store of its own in an empty folder."""

ENGINES: dict[str, MakeStore] = {
    "memory": lambda _, clock: MemoryStore(clock),
    "sqlite": lambda folder, clock: SqliteStore(folder / "turnkeeper.db", clock),
}
