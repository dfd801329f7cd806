"""Permits of a platform method, in virtual time: this process's own, and leased from a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from channels.budget import RESERVED_FOR_URGENT, Limit
from channels.leased import APART, Budget
from conversation.outbound import DeliveryDelayedError
from tests import virtual_time
from tests.conversation.stores.shared_permits import SharedPermits

MakeLimit = Callable[[float, float], Limit]


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture(params=["own", "leased"])
def make_limit(request: pytest.FixtureRequest) -> MakeLimit:
    permits = SharedPermits(now, answers_after=0.0) if request.param == "leased" else None
    return lambda rate, burst: Budget("made up", permits).limit("method", rate, burst)


def timed(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(story())


def test_a_burst_goes_through_and_then_the_sustained_rate_holds(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(2.0, 10)
        times = []
        for _ in range(30):
            await limit.take(urgent=True)
            times.append(now())
        assert times[9] == 0.0
        assert 10.0 - 0.01 < times[29] < 10.0 + APART + 0.01

    timed(story)


def test_partial_updates_leave_a_share_to_first_and_final_texts(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(1.0, 10)
        partials = 0

        async def update() -> None:
            nonlocal partials
            await limit.take(urgent=False)
            partials += 1

        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(update()) for _ in range(20)]
            await asyncio.sleep(0.001)
            assert partials == 10 - 10 * RESERVED_FOR_URGENT
            begun = now()
            await limit.take(urgent=True)
            await limit.take(urgent=True)
            assert now() == begun, "what is reserved is there at once"
            for task in waiting:
                task.cancel()

    timed(story)


def test_an_urgent_call_overtakes_those_that_only_show_progress(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(1.0, 1)
        await limit.take(urgent=True)
        order: list[str] = []

        async def call(name: str, *, urgent: bool) -> None:
            await limit.take(urgent=urgent)
            order.append(name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call("partial", urgent=False))
            await asyncio.sleep(0.1)
            tasks.create_task(call("final", urgent=True))
            await asyncio.sleep(2.0 + 2 * APART)
            assert order == ["final"]
            assert await limit.try_take() is True
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    timed(story)


def test_many_replies_share_the_permits_in_turn(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(10.0, 10)
        while await limit.try_take():
            pass
        shown = dict.fromkeys(range(5), 0)

        async def stream(reply: int) -> None:
            while True:
                await limit.take(urgent=False)
                shown[reply] += 1

        tasks = [asyncio.create_task(stream(reply)) for reply in shown]
        await asyncio.sleep(20.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert max(shown.values()) - min(shown.values()) <= 1
        assert abs(sum(shown.values()) - 198) <= 5

    timed(story)


def test_after_retry_after_nobody_calls_until_it_is_over(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(10.0, 10)
        await limit.close_for(7.0)
        assert not await limit.try_take()
        await limit.take(urgent=True)
        assert now() >= 7.0

    timed(story)


def test_a_long_retry_after_is_told_instead_of_waited_for(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(0.01, 1)
        await limit.take(urgent=True)
        waiting = asyncio.create_task(limit.take(urgent=True))
        await asyncio.sleep(1.0)
        await limit.close_for(3600.0)
        for call in (waiting, limit.take(urgent=True)):
            with pytest.raises(DeliveryDelayedError) as delayed:
                await call
            assert delayed.value.delay == pytest.approx(3600.0)
        assert now() < 2.0

    timed(story)


def test_whoever_is_cancelled_gives_its_permit_back(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(0.001, 1)
        await limit.take(urgent=True)
        waiting = asyncio.create_task(limit.take(urgent=True))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        granted = asyncio.create_task(limit.take(urgent=True))
        await asyncio.sleep(1000.0 + APART)
        assert granted.done()

        late = asyncio.create_task(limit.take(urgent=True))
        await asyncio.sleep(0)
        limit.put_back()
        late.cancel()  # granted and cancelled in the same step: the permit must not be lost
        await asyncio.gather(late, return_exceptions=True)
        assert await limit.try_take()

    timed(story)


def test_the_interval_stretches_as_the_bucket_empties(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(2.0, 20)
        assert limit.interval(0.4, sharing=10) == 0.4
        for _ in range(20):
            await limit.take(urgent=True)
        assert limit.interval(0.4, sharing=10) == 5.0
        assert limit.interval(0.4, sharing=1) == 0.5

    timed(story)


def test_what_is_held_back_is_told_in_seconds_and_ends_by_itself(make_limit: MakeLimit) -> None:
    async def story() -> None:
        limit = make_limit(0.5, 2)
        assert limit.held_back == 0
        for _ in range(2):
            await limit.take(urgent=True)
        assert limit.held_back == pytest.approx(2.0, abs=0.01)
        await asyncio.sleep(1)
        assert limit.held_back == pytest.approx(1.0, abs=0.01)
        await limit.close_for(60)
        assert limit.held_back == pytest.approx(60.0, abs=0.01)
        await asyncio.sleep(61)
        assert limit.held_back == 0

    timed(story)
