"""A process whose event loop is late takes nothing more upon itself."""

from __future__ import annotations

import asyncio

from conversation.directory import LATE_SWEEP_EVERY, MOST_LAG
from tests import virtual_time
from tests.conversation.fake_platform import says
from tests.conversation.house import House
from tests.conversation.made_up import message


async def waiting(house: House) -> int:
    return (await house.store.conversations.load("helpdesk")).waiting


def test_a_message_waits_while_the_loop_lags_and_is_answered_once_it_does_not() -> None:
    house = House(says(30.0, "ok"))

    async def story() -> None:
        async with house.running():
            await house.say(message("one", chat="C1"))
            house.lag = MOST_LAG * 1.1
            assert await house.say(message("one", chat="C2", user="U2")) == "accepted"
            await asyncio.sleep(5)
            assert (house.directory.running, await waiting(house)) == (1, 1)
            house.lag = MOST_LAG
            await asyncio.sleep(LATE_SWEEP_EVERY * 1.1)
            assert (house.directory.running, await waiting(house)) == (2, 0)
            await house.quiet()
        assert house.outcomes == ["answered", "answered"]

    virtual_time.run(story())


def test_what_came_in_a_late_moment_is_begun_as_soon_as_that_is_over() -> None:
    house = House(says(30.0, "ok"))

    async def story() -> None:
        async with house.running():
            await house.say(message("one", chat="C1"))
            await asyncio.sleep(1.3)
            house.lag = 1.0
            await house.say(message("one", chat="C2", user="U2"))
            await asyncio.sleep(0.01)
            house.lag = 0.0
            await asyncio.sleep(LATE_SWEEP_EVERY)
            assert house.directory.running == 2

    virtual_time.run(story())


def test_a_process_that_lags_answers_one_after_the_other() -> None:
    house = House(says(2.0, "ok"))

    async def story() -> None:
        async with house.running():
            house.lag = 3.0
            for number in range(5):
                await house.say(message("hi", chat=f"C{number}", user=f"U{number}"))
                assert house.directory.running == 1
            while len(house.outcomes) < 5:
                assert house.directory.running <= 1
                await asyncio.sleep(0.1)

    virtual_time.run(story())
    assert house.outcomes == ["answered"] * 5
