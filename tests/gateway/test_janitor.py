"""Records that have had their time are forgotten, and no others."""

from __future__ import annotations

from dataclasses import dataclass

from conversation.stored import Stored
from conversation.stores.memory.records import MemoryRecords
from gateway.janitor import DAY, PERISHABLES, Janitor, Perishable
from tests import virtual_time
from tests.conversation.made_up import ManualClock


@dataclass(frozen=True)
class _Dated:
    at: float
    text: str = ""


stored = Stored("turnkeeper.dated.v1", _Dated)


def test_what_is_older_than_its_kind_is_kept_is_forgotten() -> None:
    records, clock = MemoryRecords(), ManualClock(10 * DAY)
    janitor = Janitor(records, clock, (Perishable("letters", DAY), Perishable("other", 5 * DAY)))

    async def story() -> None:
        for kind in ("letters", "other", "unknown"):
            for age in (0.5, 1.5, 9.0):
                await records.put(kind, str(age), stored.write(_Dated(clock.time - age * DAY)), expected=0)
        await records.put("letters", "damaged", b"damaged", expected=0)
        await records.put("letters", "undated", b'{"type":"x","data":{"at":"yesterday"}}', expected=0)
        assert await janitor.sweep() == 3
        left = {kind: [one.id for one in await records.all(kind)] for kind in ("letters", "other", "unknown")}
        assert left == {
            "letters": ["0.5", "damaged", "undated"],
            "other": ["0.5", "1.5"],
            "unknown": ["0.5", "1.5", "9.0"],
        }
        assert await janitor.sweep() == 0

    virtual_time.run(story())


def test_another_field_may_hold_the_time() -> None:
    records, clock = MemoryRecords(), ManualClock(1000.0)

    @dataclass(frozen=True)
    class Ending:
        created_at: float
        expires_at: float

    ending = Stored("turnkeeper.ending.v1", Ending)

    async def story() -> None:
        await records.put("session", "over", ending.write(Ending(0.0, 900.0)), expected=0)
        await records.put("session", "good", ending.write(Ending(0.0, 1900.0)), expected=0)
        await Janitor(records, clock, (Perishable("session", 0.0, "expires_at"),)).sweep()
        assert [one.id for one in await records.all("session")] == ["good"]

    virtual_time.run(story())


def test_every_kind_stands_in_the_table_once() -> None:
    kinds = [one.kind for one in PERISHABLES]
    assert len(kinds) == len(set(kinds))
