"""What the core tells: of first texts, of leases, of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from conversation.turn import Claim
from gateway.metrics import Metrics
from gateway.observers import Observers
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, says
from tests.conversation.house import House
from tests.conversation.made_up import message
from tests.gateway.metrics.samples import exposed, of


@pytest.mark.parametrize("opens_early", [False, True])
def test_first_texts_are_as_late_as_people_see_them(opens_early: bool) -> None:
    house, metrics = House(says(4.0, "Well, ", 8.0, "yes."), FakePlatform(opens_early=opens_early)), Metrics()
    house.observer = Observers(metrics)

    async def story() -> None:
        async with house.running():
            await house.say(message("one"))
            await house.say(message("two"))
            await house.quiet()

    virtual_time.run(story())
    samples = asyncio.run(exposed(metrics))
    first = "turnkeeper_first_text_seconds"
    assert of(samples, f"{first}_count", channel="slack") == 2
    assert of(samples, f"{first}_bucket", channel="slack", le="2.5") == 0
    assert of(samples, f"{first}_bucket", channel="slack", le="5.0") == 1, "4 s, and a little"
    assert of(samples, f"{first}_bucket", channel="slack", le="30.0") == 2, "12 s it waited, then 4 s more"
    assert of(samples, "turnkeeper_reply_seconds_count", channel="slack") == 2


def test_a_notice_is_no_first_text() -> None:
    house, metrics = House(says()), Metrics()
    house.observer = Observers(metrics)

    async def story() -> None:
        async with house.running():
            await house.say(message("one"))
            await house.quiet()

    virtual_time.run(story())
    samples = asyncio.run(exposed(metrics))
    assert of(samples, "turnkeeper_turn_duration_seconds_count", channel="slack") == 1
    assert of(samples, "turnkeeper_first_text_seconds_count", channel="slack") is None


def test_renewals_are_counted_by_what_came_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    house = House(says("ok"), session_observer=metrics)
    turns = house.store.turns
    renew, away = turns.renew, False

    async def sometimes(session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        if away:
            raise StoreUnavailableError("gone")
        return await renew(session, held)

    monkeypatch.setattr(turns, "renew", sometimes)

    async def story() -> None:
        nonlocal away
        async with house.running():
            await asyncio.sleep(9)
            away = True
            await asyncio.sleep(9)
            other = await turns.open_session()
            await turns.take_over(other)
            away = False
            await asyncio.sleep(5)

    virtual_time.run(story())
    samples = asyncio.run(exposed(metrics))
    renewals = {result: of(samples, "turnkeeper_lease_renewals_total", result=result) for result in RESULTS}
    assert renewals["lost"] == 1
    assert (renewals["renewed"] or 0) >= 3
    assert (renewals["failed"] or 0) >= 2


RESULTS = ("renewed", "failed", "lost")


async def test_operations_of_the_store_are_timed_by_name_and_those_that_fail_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics, engine = Metrics(), MemoryStore(SystemClock())
    store = metrics.store.measured(engine)
    session = await store.turns.open_session()
    assert await store.turns.claim(session, 3) == ()
    assert await store.records.all("bot") == ()
    assert store.exclusive
    assert store.events is engine.events

    async def away(_session: str, _most: int) -> tuple[Claim, ...]:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(engine.turns, "claim", away)
    with pytest.raises(StoreUnavailableError):
        await store.turns.claim(session, 3)
    samples = await exposed(metrics, engine)
    took, failed = "turnkeeper_store_operation_seconds_count", "turnkeeper_store_unavailable_total"
    assert of(samples, took, operation="turns.claim") == 2
    assert of(samples, failed, operation="turns.claim") == 1
    assert of(samples, failed, operation="turns.open_session") == 0
    assert of(samples, took, operation="records.all") == 1
