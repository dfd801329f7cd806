"""Commands that wait in a conversation's queue like messages, and bots that keep nothing of what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal

import pytest

from conversation.bot import Agent, Gates
from conversation.busy import WhenBusy
from conversation.providers.port import Entry
from conversation.turn import Reason
from tests import virtual_time
from tests.conversation.fake_platform import FakeModel, in_turn, says
from tests.conversation.house import House
from tests.conversation.made_up import command, key, message


def tell(house: House, story: Callable[[], Awaitable[object]]) -> None:
    async def whole() -> None:
        async with house.running():
            await story()
            await house.quiet()

    virtual_time.run(whole())


def remembered(model: FakeModel) -> list[tuple[Entry, ...]]:
    """The history that each question came with."""
    return [prompt.entries[:-1] for prompt in model.asked]


def test_what_was_said_before_a_clear_is_forgotten_and_nothing_is_shown_of_it() -> None:
    house = House(says("fine"))

    async def story() -> None:
        for said in (message("one"), command("clear"), message("two"), message("three")):
            assert await house.say(said) == "accepted"
            await house.quiet()

    tell(house, story)
    assert house.platform.shown == ["fine", "fine", "fine"]
    assert house.outcomes == ["answered", "obeyed", "answered", "answered"]
    assert remembered(house.model) == [(), (), (Entry("user", "two"), Entry("assistant", "fine"))]


@pytest.mark.parametrize("when_busy", ["queue", "merge", "interrupt"])
def test_a_command_waits_for_its_turn_and_shares_it_with_nobody(when_busy: WhenBusy) -> None:
    house = House(says("a", 5.0, "b"), when_busy=when_busy)

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(1)
        await house.say(command("clear"))
        await house.say(message("two"))

    tell(house, story)
    first = "ab" if when_busy != "interrupt" else "a"
    assert house.platform.shown[0].startswith(first)
    assert house.outcomes == ["superseded" if when_busy == "interrupt" else "answered", "obeyed", "answered"]
    assert remembered(house.model)[-1] == ()


def test_a_command_does_not_end_the_reply_that_is_being_written() -> None:
    house = House(says("a", 5.0, "b"), when_busy="interrupt")

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(1)
        await house.say(command("clear"))

    tell(house, story)
    assert house.platform.shown == ["ab"]
    assert house.outcomes == ["answered", "obeyed"]


def test_from_a_bind_on_another_agent_answers_until_the_conversation_ends() -> None:
    house = House(says("the usual"))
    other = FakeModel(says("the other"))
    house.agents["other"] = Agent("other", other)

    async def story() -> None:
        for said in (command("bind", "other"), message("one"), command("end"), message("two")):
            await house.say(said)
            await house.quiet()

    tell(house, story)
    assert house.platform.shown == ["the other", "the usual"]
    assert remembered(house.model) == [()]


def test_a_conversation_bound_to_an_agent_that_is_gone_is_answered_by_the_bots_own() -> None:
    house = House(says("the usual"))

    async def story() -> None:
        await house.say(command("bind", "gone"))
        await house.say(message("one"))

    tell(house, story)
    assert house.platform.shown == ["the usual"]


def test_a_command_that_was_stopped_in_time_is_not_carried_out() -> None:
    house = House(in_turn(says("fine"), says("a", 5.0, "b"), says("fine")))

    async def story() -> None:
        await house.say(message("one"))
        await house.quiet()
        await house.say(message("two"))
        await asyncio.sleep(1)
        await house.say(clear := command("clear"))
        await house.directory.take_back("helpdesk", clear.turn_id)
        await house.quiet()
        await house.say(message("three"))

    tell(house, story)
    assert house.outcomes == ["answered", "answered", "taken_back", "answered"]
    assert len(remembered(house.model)[-1]) == 4
    assert len(house.platform.shown) == 3


def test_a_bot_that_keeps_no_texts_remembers_nothing() -> None:
    house = House(says("fine"), keep_texts=False)

    async def story() -> None:
        for text in ("one", "two"):
            await house.say(message(text))
            await house.quiet()

    tell(house, story)
    assert remembered(house.model) == [(), ()]
    assert house.platform.shown == ["fine", "fine"]
    assert virtual_time.run(house.store.transcripts.said(key(), 9)) == ()


@pytest.mark.parametrize("keep_texts", [True, False])
def test_a_letter_of_a_bot_that_keeps_no_texts_has_none(*, keep_texts: bool) -> None:
    house = House(says("fine"), keep_texts=keep_texts)
    house.store.turns.dead.clear()

    async def story() -> None:
        refused = replace(message("one"), text="one")
        await house.directory.admit(refused, limits=house.bot.limits, refusal=Reason.MALFORMED)

    tell(house, story)
    (letter,) = house.store.turns.dead
    assert bool(letter.messages) == keep_texts


@pytest.mark.parametrize(("origin", "outcome"), [("platform", "not_allowed"), ("api", "answered")])
def test_lists_of_the_allowed_are_for_people_and_not_for_the_api(
    origin: Literal["platform", "api"], outcome: str
) -> None:
    house = House(says("fine"), gates=Gates(users=frozenset({"U9"})))

    async def story() -> None:
        await house.say(replace(message("one"), origin=origin))

    tell(house, story)
    assert house.outcomes == [outcome]
