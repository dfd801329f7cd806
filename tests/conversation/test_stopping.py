"""Replies that end before they are complete: stopped, interrupted, taken back, merged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from conversation.busy import Limits
from conversation.outbound import DeliveryStoppedError
from conversation.providers.port import Entry
from conversation.texts import notice
from conversation.turn import Reason
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, in_turn, says
from tests.conversation.house import House
from tests.conversation.made_up import SAID_AT, key, message

GROWING = says("Once", 2.0, " upon", 2.0, " a time", 60.0, " the end")


def told(reason: Reason, text: str = "hello") -> str:
    return notice(reason, "en", message(text).turn_id[:8])


def after(seconds: float, act: Callable[[House], Awaitable[object]], house: House) -> None:
    """Say hello, act so many seconds later, and wait until all is answered."""

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await asyncio.sleep(seconds)
            await act(house)
            await house.quiet()

    virtual_time.run(story())


def stop(house: House) -> Awaitable[bool]:
    return house.directory.stop(key(), "stop 1", SAID_AT)


def take_back(house: House) -> Awaitable[bool]:
    return house.directory.take_back("helpdesk", message("hello").turn_id)


def test_a_stopped_reply_keeps_what_was_said_and_the_model_is_let_go_at_once() -> None:
    house = House(in_turn(GROWING, says("fine")))

    async def act(_: House) -> None:
        asked_at = asyncio.get_running_loop().time()
        assert await stop(house)
        await house.quiet()
        assert asyncio.get_running_loop().time() - asked_at < 2.0
        await house.say(message("go on"))

    after(4.5, act, house)
    assert house.platform.shown == [f"Once upon a time\n\n{told(Reason.CANCELLED)}", "fine"]
    assert house.outcomes == ["cancelled", "answered"]
    assert house.model.asked[1].entries[:2] == (
        Entry("user", "hello"),
        Entry("assistant", "Once upon a time"),
    ), "the model knows what the person has seen"


def test_a_reply_stopped_before_it_said_anything_is_one_sentence() -> None:
    house = House(says(60.0, "late"))
    after(1.0, stop, house)
    assert house.platform.shown == [told(Reason.CANCELLED)]


def test_nothing_to_stop_changes_nothing() -> None:
    house = House(says("fine"))

    async def act(_: House) -> None:
        assert not await stop(house)
        await house.say(message("again"))

    after(5.0, act, house)
    assert house.platform.shown == ["fine", "fine"]


def test_a_message_taken_back_before_anything_was_said_leaves_nothing() -> None:
    for opens_early in (False, True):
        house = House(says(60.0, "late"), FakePlatform(opens_early=opens_early))
        after(1.0, take_back, house)
        assert house.platform.shown == []
        assert house.outcomes == ["taken_back"]


def test_a_message_taken_back_while_the_answer_grows_ends_it() -> None:
    house = House(GROWING)
    after(2.5, take_back, house)
    assert house.platform.shown == [f"Once upon\n\n{told(Reason.TAKEN_BACK)}"]


def test_a_waiting_message_that_is_taken_back_is_never_answered() -> None:
    house = House(says("fine", 3.0, "."))

    async def act(_: House) -> None:
        await house.say(message("next"))
        await house.directory.take_back("helpdesk", message("next").turn_id)

    after(1.0, act, house)
    assert house.platform.shown == ["fine."]
    assert house.outcomes == ["answered", "taken_back"]
    assert len(house.model.asked) == 1


def test_a_message_interrupts_the_reply_before_it_and_is_answered() -> None:
    house = House(in_turn(GROWING, says("Paris it is")), when_busy="interrupt")

    async def act(_: House) -> None:
        await house.say(message("no, Paris"))
        await house.say(message("tomorrow"))

    after(2.5, act, house)
    assert house.platform.shown == [f"Once upon\n\n{told(Reason.SUPERSEDED)}", "Paris it is"]
    assert house.model.asked[1].entries[-1].text == "no, Paris\n\ntomorrow"


def test_merged_messages_share_one_answer() -> None:
    house = House(in_turn(says("one moment", 3.0, "."), says("both")), when_busy="merge")

    async def act(_: House) -> None:
        for text in ("two", "three"):
            assert await house.say(message(text)) == "accepted"

    after(1.0, act, house)
    assert house.platform.shown == ["one moment.", "both"]
    assert house.model.asked[1].entries[-1].text == "two\n\nthree"


def test_a_reply_that_was_stopped_when_its_process_died_is_not_begun_again() -> None:
    house = House(GROWING)

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await asyncio.sleep(2.5)
            await house.store.turns.stop(
                key(), "stop 1", SAID_AT
            )  # the process is dead before it hears of it
        async with house.running():
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == [told(Reason.CANCELLED)]
    assert len(house.model.asked) == 1


@pytest.mark.parametrize("call", ["show", "close"])
def test_a_message_stopped_on_the_platform_stays_as_it_is(call: str) -> None:
    house = House(in_turn(says("Once", 2.0, " upon", 2.0, " a time"), says("fine")))
    house.platform.trouble[call] = [DeliveryStoppedError("stopped_by_user")]

    async def act(_: House) -> None:
        await house.say(message("next"))

    after(1.0, act, house)
    assert house.outcomes == ["cancelled", "answered"]
    assert house.platform.shown[1] == "fine"
    assert await_letters(house) == ()


def await_letters(house: House) -> tuple[object, ...]:
    return virtual_time.run(house.store.turns.dead_letters())


def test_what_another_process_stopped_is_heard_by_the_one_that_runs_it() -> None:
    here = House(GROWING)
    here.store.exclusive = False
    there = House(says("fine"), here.platform, store=here.store)

    async def story() -> None:
        async with here.running(), there.running():
            await here.say(message("hello"))
            await asyncio.sleep(2.5)
            assert await there.directory.stop(key(), "stop 1", SAID_AT)
            await asyncio.sleep(6.0)
            assert here.outcomes == ["cancelled"], "at its next renewal at the latest"

    virtual_time.run(story())


def test_one_person_cannot_take_all_slots() -> None:
    house = House(says("a", 5.0, "b"), max_replies=10, limits=Limits(per_person=2))
    most = 0

    async def story() -> None:
        nonlocal most
        async with house.running():
            for chat in range(6):
                await house.say(message("hello", chat=f"C{chat}"))
            await house.say(message("hi", chat="D1", user="U2"))
            await asyncio.sleep(1.0)
            most = house.directory.running
            await house.quiet()

    virtual_time.run(story())
    assert most == 3
    assert house.platform.shown == ["ab"] * 7


def test_the_platforms_own_word_of_a_stop_does_not_end_the_next_reply() -> None:
    """It comes a moment after the platform has refused a write for the same reason."""
    house = House(in_turn(says("Once", 2.0, " upon", 2.0, " a time"), says("fine")))
    house.platform.trouble["show"] = [DeliveryStoppedError("stopped_by_user")]

    async def act(_: House) -> None:
        await house.say(message("next"))
        await asyncio.sleep(2.5)
        assert await stop(house)

    after(1.0, act, house)
    assert house.outcomes == ["cancelled", "answered"]
