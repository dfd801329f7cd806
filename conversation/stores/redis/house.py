"""What belongs to a whole namespace: what it was made with, and which of its partitions are in use."""

from __future__ import annotations

from conversation.stores.port import StoreUnavailableError
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.partitions import Partitions

LAYOUT = 3
"""Version of the keys' layout; rises when an older Turnkeeper could not work beside this one."""


class House:
    def __init__(self, batching: Batching, partitions: Partitions) -> None:
        self._batching = batching
        self.partitions = partitions

    async def join(self) -> None:
        """Raises StoreUnavailableError if the namespace was made for something else."""
        home, count = self.partitions.home, self.partitions.count
        made_with = await self._batching.call("join_house", home, LAYOUT, count)
        layout, partitions = (int(number or 0) for number in made_with)
        if layout != LAYOUT:
            age, remedy = (
                ("a newer", "upgrade this one") if layout > LAYOUT else ("an older", "use that version")
            )
            raise StoreUnavailableError(
                f"the namespace {self.partitions.namespace!r} was made by {age} Turnkeeper (layout {layout}, this"
                f" one knows {LAYOUT}): {remedy}, or set another store.namespace"
            )
        if partitions != count:
            raise StoreUnavailableError(
                f"the namespace {self.partitions.namespace!r} has {partitions} partitions, not {count}: set another"
                " store.namespace"
            )
        await self.refresh()

    async def partition_for(self, bot: str) -> int:
        """The partition of a bot's conversations, known to all processes before anything is put into it."""
        partition = self.partitions.of(bot)
        if partition not in self.partitions.used:
            await self._use(partition)
        return partition

    async def refresh(self) -> None:
        """Learn of the partitions that other processes used first."""
        home = self.partitions.home
        listed = _numbers(await self._batching.run(home, "LRANGE", f"{home}:partitions", 0, -1))
        forgotten = set(self.partitions.used) - set(listed)
        if forgotten:  # a primary was lost before its replica had the list
            await self._use(*self.partitions.used)
        else:
            self.partitions.used = listed

    async def _use(self, *partitions: int) -> None:
        call = self._batching.call("use_partitions", self.partitions.home, *partitions, durable=True)
        self.partitions.used = _numbers(await call)


def _numbers(listed: list[bytes]) -> tuple[int, ...]:
    return tuple(map(int, listed))
