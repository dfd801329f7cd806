"""The audit log, engine by engine."""

from __future__ import annotations

from conversation.stores.audit import AuditEntry, Deed
from conversation.stores.port import Store
from conversation.stores.retention import Retention
from tests.conversation.made_up import ManualClock


def deed(number: int) -> Deed:
    return Deed("token anna", "bot.changed", f"bot/helpdesk-{number}", "prompt, 型号 and\nmodel")


async def read(store: Store, size: int) -> list[AuditEntry]:
    """All of it, page by page."""
    entries: list[AuditEntry] = []
    while page := await store.audit.before(entries[-1].position if entries else None, size):
        assert len(page) <= size
        entries += page
    return entries


async def test_deeds_are_read_newest_first_by_pages_of_any_size(store: Store, clock: ManualClock) -> None:
    assert await store.audit.before(None, 9) == ()
    times = []
    for number in range(7):
        clock.advance(1.5)
        times.append(clock.now())
        await store.audit.append(deed(number))
    for size in (1, 3, 7, 9):
        entries = await read(store, size)
        assert [entry.deed for entry in entries] == [deed(number) for number in range(6, -1, -1)]
        assert [entry.at for entry in entries] == times[::-1]
    positions = [entry.position for entry in entries]
    assert positions == sorted(set(positions), reverse=True)


async def test_a_position_that_nobody_was_told_is_the_end(store: Store) -> None:
    await store.audit.append(deed(1))
    assert len(await store.audit.before(2**70, 9)) == 1
    assert await store.audit.before(0, 9) == ()


async def test_an_empty_detail_stays_empty(store: Store) -> None:
    told = Deed("console", "login.failed", "")
    await store.audit.append(told)
    assert [entry.deed for entry in await store.audit.before(None, 9)] == [told]


async def test_deeds_are_forgotten_after_a_year_by_tick_a_share_at_a_time(
    store: Store, clock: ManualClock
) -> None:
    for number in range(5):
        await store.audit.append(deed(number))
    clock.advance(1.0)
    await store.audit.append(deed(5))
    clock.advance(Retention().audit - 1.0)
    left = []
    for _ in range(4):
        await store.turns.tick(2)
        left.append(len(await store.audit.before(None, 9)))
    assert left == [4, 2, 1, 1]
    position = (await store.audit.before(None, 9))[0].position
    clock.advance(1.0)
    await store.turns.tick(2)
    await store.audit.append(deed(6))
    (entry,) = await store.audit.before(None, 9)
    assert entry.position > position
