"""Who changed what, in Redis."""

from __future__ import annotations

from conversation.clock import Clock
from conversation.stores.audit import AuditEntry, Deed
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.house import House

_LARGEST_NUMBER = 2**63 - 1

_DEED = (b"who", b"action", b"target", b"detail")


class RedisAudit:
    """In partition 0, as all that concerns the whole namespace."""

    def __init__(self, batching: Batching, house: House, clock: Clock | None) -> None:
        self._batching = batching
        self._home = house.partitions.home
        self._clock = clock

    async def append(self, deed: Deed) -> None:
        now = repr(self._clock.now()) if self._clock else ""
        await self._batching.call(
            "append_audit", self._home, now, deed.who, deed.action, deed.target, deed.detail, durable=True
        )

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        if position == 0:
            return ()
        newest = "+" if position is None else f"(0-{min(position, _LARGEST_NUMBER)}"
        found = await self._batching.run(
            self._home, "XREVRANGE", f"{self._home}:audit", newest, "-", "COUNT", limit
        )
        return tuple(
            AuditEntry(
                int(entry.partition(b"-")[2]),
                float(fields[b"at"]),
                Deed(*(fields[name].decode() for name in _DEED)),
            )
            for entry, fields in found
        )
