"""Which partition a conversation belongs to, and whose turn it is among partitions.

All of a bot's conversations are in one partition, and all keys of a partition have one hash tag, so that a step
touches one slot of a cluster. Only partitions that were ever used are looked at: a house with three bots polls
four, not sixty-four. Partition 0 always counts as used; it also keeps what belongs to the whole namespace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

HOME = 0


class Partitions:
    """Names, and what this process knows of the others' use. ``used`` is in the order of first use, everywhere."""

    def __init__(self, namespace: str, count: int) -> None:
        self.count = count
        self.namespace = namespace
        self.used: tuple[int, ...] = (HOME,)
        self._ready: dict[int, int] = {}
        self._last = HOME

    def tag(self, partition: int) -> str:
        return f"{{{self.namespace}:{partition}}}"

    @property
    def home(self) -> str:
        return self.tag(HOME)

    def of(self, name: str) -> int:
        """Where what belongs to a bot, or to a budget of this name, is kept."""
        digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") % self.count

    def now_ready(self, partition: int, conversations: int) -> None:
        """So many conversations were ready in a partition a moment ago."""
        if conversations:
            self._ready[partition] = conversations
        else:
            self._ready.pop(partition, None)

    def next_served(self, *, also: int | None = None, but: int | None = None) -> int | None:
        """The next partition in turn of those known to have ready conversations, and ``also``; never ``but``."""
        waiting = self._ready.keys() | ({also} if also is not None else set())
        return next((partition for partition in self._in_turn(waiting) if partition != but), None)

    def served(self, partition: int) -> None:
        self._last = partition

    def shares(self, most: int) -> dict[int, int]:
        """How many of ``most`` slots each partition gets for what is ready there, one by one in turn."""
        left, shares = dict(self._ready), dict[int, int]()
        while left and most > 0:
            for partition in self._in_turn(left)[:most]:
                shares[partition] = shares.get(partition, 0) + 1
                self._last = partition
                most -= 1
                left[partition] -= 1
                if not left[partition]:
                    del left[partition]
        return shares

    def _in_turn(self, partitions: Collection[int]) -> list[int]:
        return sorted(partitions, key=lambda partition: (partition - self._last - 1) % self.count)
