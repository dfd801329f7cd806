"""Two processes that keep one limit together, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from channels.budget import RESERVED_FOR_URGENT, Limit
from channels.leased import APART, ASK_AGAIN, HELD_FOR, MOST_CHATS, Budget, PerChat, nameless
from conversation.outbound import DeliveryDelayedError
from tests import virtual_time
from tests.conversation.stores.shared_permits import SharedPermits

RATE, BURST = 10.0, 20.0
RTT = 0.002


def now() -> float:
    return asyncio.get_running_loop().time()


class Replicas:
    """``here`` and ``there`` are one limit in two processes."""

    def __init__(self) -> None:
        self.store = SharedPermits(now, answers_after=RTT)
        self.here, self.there = (self.another() for _ in range(2))
        self._calling: list[asyncio.Task[None]] = []

    def another(self, rate: float = RATE, burst: float = BURST, name: str = "chat.update") -> Limit:
        return Budget("slack:made-up", self.store).limit(name, rate, burst)

    def calls(self, limit: Limit, made: list[float], *, at_once: int, urgent: bool = False) -> None:
        """So many replies call again and again; ``made`` gets the times."""

        async def call() -> None:
            while True:
                await limit.take(urgent=urgent)
                made.append(now())

        self._calling += [asyncio.create_task(call()) for _ in range(at_once)]

    async def hush(self) -> None:
        for task in self._calling:
            task.cancel()
        await asyncio.gather(*self._calling, return_exceptions=True)


def told(story: Callable[[Replicas], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        replicas = Replicas()
        try:
            await story(replicas)
        finally:
            await replicas.hush()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is left running"

    virtual_time.run(main())


def test_together_they_call_as_often_as_one_may_and_each_has_its_share() -> None:
    async def story(replicas: Replicas) -> None:
        here, there = list[float](), list[float]()
        replicas.calls(replicas.here, here, at_once=5)
        replicas.calls(replicas.there, there, at_once=5)
        await asyncio.sleep(60.0)
        budget = BURST * (1 - RESERVED_FOR_URGENT) + RATE * 60.0
        assert budget - 5 <= len(here) + len(there) <= budget
        assert min(len(here), len(there)) > 0.3 * budget

    told(story)


def test_with_limits_of_their_own_they_would_call_twice_as_often() -> None:
    async def story(replicas: Replicas) -> None:
        made: list[float] = []
        for _ in range(2):
            replicas.calls(Budget().limit("chat.update", RATE, BURST), made, at_once=5)
        await asyncio.sleep(60.0)
        assert len(made) > 1.9 * RATE * 60.0

    told(story)


def test_bots_of_one_owner_share_and_methods_do_not() -> None:
    async def story(replicas: Replicas) -> None:
        one, twin = replicas.another(name="chat.delete"), replicas.another(name="chat.delete")
        for _ in range(int(BURST)):
            assert await one.try_take()
        assert not await twin.try_take()
        assert await replicas.here.try_take()

    told(story)


def test_an_urgent_call_goes_before_the_progress_that_another_replica_shows() -> None:
    async def story(replicas: Replicas) -> None:
        replicas.calls(replicas.here, [], at_once=50)
        for second in range(1, 20):
            await asyncio.sleep(second - now())
            await replicas.there.take(urgent=True)
            assert now() - second < 0.01

    told(story)


def test_a_retry_after_that_one_meets_holds_for_the_other() -> None:
    async def story(replicas: Replicas) -> None:
        await replicas.there.take(urgent=True)
        await replicas.here.close_for(7.0)
        await asyncio.sleep(HELD_FOR)
        assert not await replicas.there.try_take()
        await replicas.there.take(urgent=True)
        assert 7.0 <= now() < 7.0 + 2 * APART

    told(story)


def test_a_long_retry_after_is_told_to_those_who_wait_elsewhere() -> None:
    async def story(replicas: Replicas) -> None:
        while await replicas.there.try_take():
            pass
        waiting = asyncio.create_task(replicas.there.take(urgent=True))
        await asyncio.sleep(0.01)
        await replicas.here.close_for(3600.0)
        with pytest.raises(DeliveryDelayedError) as delayed:
            await waiting
        assert 3590 < delayed.value.delay <= 3600

    told(story)


def test_a_busy_replica_does_not_ask_once_for_each_call() -> None:
    async def story(replicas: Replicas) -> None:
        limit = replicas.another(rate=100.0, burst=100.0, name="content")

        async def stream() -> None:
            while True:
                await limit.take(urgent=False)
                made.append(now())
                await asyncio.sleep(0.25)

        made: list[float] = []
        streams = [asyncio.create_task(stream()) for _ in range(12)]
        for started in range(12):
            await asyncio.sleep(0.25 / 12 * started)
        await asyncio.sleep(20.0)
        assert len(made) > 900
        assert replicas.store.questions < len(made) / 3
        for one in streams:
            one.cancel()
        await asyncio.gather(*streams, return_exceptions=True)

    told(story)


def test_where_permits_are_scarce_nobody_asks_in_vain_all_the_time() -> None:
    async def story(replicas: Replicas) -> None:
        scarce = [replicas.another(rate=0.5, burst=10.0, name="chat.delete") for _ in range(2)]
        for limit in scarce:
            replicas.calls(limit, [], at_once=30)
        await asyncio.sleep(10.0)
        asked = replicas.store.questions
        await asyncio.sleep(60.0)
        assert replicas.store.questions - asked <= 2 * 60.0 * 0.5 * 1.2

    told(story)


def test_while_the_store_is_away_calls_wait_and_go_on_when_it_is_back() -> None:
    async def story(replicas: Replicas) -> None:
        replicas.store.away = True
        assert not await replicas.here.try_take()
        made: list[float] = []
        replicas.calls(replicas.here, made, at_once=3, urgent=True)
        await asyncio.sleep(30.0)
        assert made == []
        assert replicas.store.questions < 35
        replicas.store.away = False
        await asyncio.sleep(2 * ASK_AGAIN)
        assert len(made) >= BURST

    told(story)


def test_a_retry_after_is_obeyed_here_even_while_the_store_is_away() -> None:
    async def story(replicas: Replicas) -> None:
        replicas.store.away = True
        await replicas.here.close_for(7.0)
        replicas.store.away = False
        await replicas.here.take(urgent=True)
        assert now() >= 7.0

    told(story)


def test_whoever_is_cancelled_while_it_asks_loses_no_permit_and_somebody_else_asks_on() -> None:
    async def story(replicas: Replicas) -> None:
        replicas.store.answers_after = 0.5
        limit, twin = (replicas.another(rate=0.001, burst=2.0, name="chat.delete") for _ in range(2))
        asking = asyncio.create_task(limit.take(urgent=True))
        await asyncio.sleep(0.1)
        follower = asyncio.create_task(limit.take(urgent=True))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        await follower
        assert now() < 1.0, "it had the permit of the cancelled one"
        assert await twin.try_take()
        assert not await twin.try_take()

    told(story)


def test_a_permit_that_was_not_used_is_given_back() -> None:
    async def story(replicas: Replicas) -> None:
        limit, twin = (replicas.another(rate=0.001, burst=2.0, name="chat.delete") for _ in range(2))
        assert await limit.try_take()
        limit.put_back()
        await asyncio.sleep(HELD_FOR)
        assert await limit.try_take()
        assert await twin.try_take()
        assert not await twin.try_take()

    told(story)


def test_whoever_asked_for_all_is_cancelled_and_the_others_are_still_served() -> None:
    async def story(replicas: Replicas) -> None:
        while await replicas.here.try_take():
            pass
        waiting = [asyncio.create_task(replicas.here.take(urgent=True)) for _ in range(4)]
        await asyncio.sleep(0.05)
        waiting[0].cancel()
        waiting[1].cancel()
        await asyncio.gather(*waiting[2:])
        assert now() < 1.0
        await asyncio.gather(*waiting[:2], return_exceptions=True)

    told(story)


def test_the_interval_stretches_with_what_other_replicas_use() -> None:
    async def story(replicas: Replicas) -> None:
        await replicas.here.take(urgent=False)
        assert replicas.here.interval(0.4, sharing=10) == 0.4
        replicas.calls(replicas.there, [], at_once=20)
        await asyncio.sleep(3.0)
        await replicas.here.take(urgent=False)
        assert replicas.here.interval(0.4, sharing=10) > 0.5

    told(story)


def test_a_name_does_not_tell_the_token() -> None:
    assert "made-up" not in nameless("xoxb-made-up")
    assert nameless("xoxb-made-up") == nameless("xoxb-made-up") != nameless("xoxb-other")


def test_of_chats_that_were_not_asked_for_lately_some_are_forgotten() -> None:
    chats = PerChat(Budget(), "chat.postMessage", 1.0, 4.0)
    first, second = chats.of("C1"), chats.of("C2")
    for number in range(MOST_CHATS - 1):
        chats.of(f"D{number}")
        assert chats.of("C1") is first
    assert chats.of("C2") is not second
