"""What people write that is not for the model, buttons under replies, and marks: seen from the chat."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from channels.commands import command_or_message
from conversation.bot import Agent, Gates
from conversation.controls import Button, Controls, MalformedButtonError
from conversation.courtesies import Suggestion
from conversation.marks import Marks
from conversation.messages import Address, InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryError, DeliveryRefusedError
from conversation.providers.port import ProviderError
from conversation.retries import Retries
from conversation.turn import Reason
from tests import virtual_time
from tests.conversation.fake_platform import FakeModel, FakePlatform, in_turn, says
from tests.conversation.house import House
from tests.conversation.made_up import key, message

BROKEN = says("half", ProviderError(Reason.MODEL_ERROR, "broken"))


def tell(house: House, story: Callable[[], Awaitable[object]]) -> None:
    async def whole() -> None:
        async with house.running():
            await story()
            await house.quiet()

    virtual_time.run(whole())


def written(text: str, number: int = 1) -> InboundMessage:
    """As a channel gives it on."""
    said = command_or_message(message(text, identity=f"{text} {number}"))
    assert isinstance(said, InboundMessage)
    return said


def test_new_forgets_in_its_turn_and_says_so() -> None:
    house = House(says("fine", 1.0, "."))

    async def story() -> None:
        for said in (message("one"), written("/new"), message("two")):
            await house.say(said)

    tell(house, story)
    assert [text[:8] for text in house.platform.shown] == ["fine.", "🧹 Forgot", "fine."]
    assert house.outcomes == ["answered", "obeyed", "answered"]
    assert [prompt.entries[:-1] for prompt in house.model.asked] == [(), ()]


def test_help_and_agent_are_answered_without_the_model_in_the_persons_language() -> None:
    house = House(says("fine"))

    async def story() -> None:
        for said in (written("/help"), replace(written("/agent"), locale="zh")):
            await house.say(said)

    tell(house, story)
    assert house.platform.shown[0].startswith("Write to me and I answer")
    assert house.platform.shown[1] == "此处由 **default** 回复。"
    assert house.model.asked == []
    assert house.outcomes == ["obeyed", "obeyed"]


def test_an_agent_that_may_be_chosen_answers_from_then_on_and_agent_tells_it() -> None:
    house = House(says("the usual"))
    house.agents["research"] = Agent("research", FakeModel(says("the other")))
    house.bots["helpdesk"] = replace(house.bot, choices=("research", "gone"))

    async def story() -> None:
        for said in (message("one"), written("/agent research"), message("two"), written("/agent")):
            await house.say(said)

    tell(house, story)
    assert house.platform.shown == [
        "the usual",
        "From now on **research** answers here.",
        "the other",
        "**research** answers here. With `/agent NAME` you can choose: default, research.",
    ]


def test_a_command_of_somebody_who_may_not_talk_does_nothing_and_is_told_so() -> None:
    house = House(says("fine"), gates=Gates(users=frozenset({"U1"})))

    async def story() -> None:
        await house.say(message("one"))
        await house.say(command_or_message(message("/new", user="U9")))  # type: ignore[arg-type]
        await house.say(message("two"))

    tell(house, story)
    assert house.outcomes == ["answered", "not_allowed", "answered"]
    assert "not allowed" in house.platform.shown[1]
    assert len(house.model.asked[-1].entries) == 3


def test_a_command_is_answered_once_although_its_process_dies_over_it() -> None:
    house = House(says("fine"))
    house.platform.seconds_to_answer = 5.0

    async def whole() -> None:
        async with house.running():
            await house.say(message("one"))
            await house.say(written("/new"))
            await asyncio.sleep(8)
        house.platform.seconds_to_answer = 0.0
        async with house.running():
            await house.quiet()

    virtual_time.run(whole())
    assert [text[:4] for text in house.platform.shown] == ["fine", "🧹 Fo"]
    assert virtual_time.run(house.store.transcripts.said(key(), 9)) == ()


@pytest.mark.parametrize(
    "text", ["/newer", "/new things", "what does /new do?", "/help me", "/agent a b", "new"]
)
def test_what_only_looks_like_a_command_is_for_the_model(text: str) -> None:
    assert command_or_message(message(text)) == message(text)


def test_a_message_that_holds_only_what_cannot_be_read_is_declined_by_name() -> None:
    house = House(says("fine"))

    async def story() -> None:
        await house.say(replace(message(""), declined=("voice", "backup.tar.gz")))
        await house.say(replace(message("look"), declined=("backup.tar.gz",)))

    tell(house, story)
    assert house.outcomes == ["unsupported", "answered"]
    assert house.platform.shown[0].startswith("⚠️ I cannot read this yet: a voice message, backup.tar.gz. ")


# Buttons.


def controls(house: House) -> list[Controls | None]:
    return [one.controls for one in house.platform.messages]


def test_an_answer_can_be_judged_and_a_failed_one_asked_again() -> None:
    house = House(in_turn(says("fine"), BROKEN, says("fine")))

    async def story() -> None:
        for said in (message("one"), message("two"), written("/help")):
            await house.say(said)
        await house.say(replace(message("three"), origin="api"))

    tell(house, story)
    answered, failed, helped, for_the_api = controls(house)
    assert answered is not None
    assert (answered.feedback, answered.retry, answered.turn) == (True, False, message("one").turn_id)
    assert failed is not None
    assert (failed.feedback, failed.retry, failed.person) == (False, True, message("two").person)
    assert (helped, for_the_api) == (None, None)


def test_only_the_last_part_of_an_answer_has_buttons() -> None:
    house = House(says("a" * 25), FakePlatform(limit=10))
    tell(house, lambda: house.say(message("one")))
    assert [one is not None for one in controls(house)] == [False, False, True]


def test_a_bot_that_wants_no_opinion_and_keeps_no_text_has_no_buttons() -> None:
    house = House(in_turn(says("fine"), BROKEN), keep_texts=False)
    house.bots["helpdesk"] = replace(house.bot, feedback=False)

    async def story() -> None:
        await house.say(message("one"))
        await house.say(message("two"))

    tell(house, story)
    assert controls(house) == [None, None]
    assert virtual_time.run(house.store.records.all("retry")) == ()


def test_a_failed_question_is_kept_before_its_turn_ends_and_its_process_may_die() -> None:
    house = House(BROKEN)

    async def whole() -> None:
        async with house.running():
            await house.say(message("one"))
            await asyncio.sleep(0)
        async with house.running():
            await house.quiet()
        failed = await Retries(house.store.records, house.clock).find(message("one").turn_id)
        assert failed is not None
        (shown,) = house.platform.messages
        assert (failed.question.text, failed.text, failed.ref) == ("one", shown.text, shown.ref)
        again = failed.again(1.0)
        assert again.turn_id == failed.again(2.0).turn_id != message("one").turn_id
        assert replace(again, identity="", sent_at=0.0) == replace(message("one"), identity="", sent_at=0.0)

    virtual_time.run(whole())


def test_buttons_stand_where_a_late_write_was_mended() -> None:
    house = House(says("fine"))
    house.platform.trouble_after["close"] = [DeliveryDelayedError("lost", 1.0, pending=True)]

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(40)

    tell(house, story)
    assert house.platform.repairs == ["fine"]
    assert [one is not None for one in controls(house)] == [True]


def test_a_button_brings_back_what_it_was_made_of_and_nothing_made_up() -> None:
    shown = Controls("a" * 24, "b" * 16, key(), "en", retry=True)
    assert Button.parse(shown.value("retry")) == Button("retry", "a" * 24, "b" * 16, key())
    for text in ("", "retry", "retry:a:b:c", f"burn:a:b:{key()}", f"retry:a b:c:{key()}", "retry:é:b:c"):
        with pytest.raises(MalformedButtonError):
            Button.parse(text)


def test_who_sees_the_button_can_use_it_although_the_platforms_answer_is_on_its_way() -> None:
    house = House(BROKEN)
    retries = Retries(house.store.records, house.clock)
    house.platform.seconds_to_answer = 8.0

    async def story() -> None:
        await house.say(message("one"))
        while not (house.platform.messages and house.platform.messages[0].controls):
            await asyncio.sleep(0.1)
        assert house.outcomes == []
        failed = await retries.find(message("one").turn_id)
        assert failed is not None
        assert (failed.ref, failed.text) == (house.platform.messages[0].ref, house.platform.shown[0])

    tell(house, story)


# Marks.


class FakeCourtesies:
    """A platform whose marks can be looked at; ``trouble`` is raised first, a call at a time."""

    def __init__(self) -> None:
        self.marked: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.trouble: list[DeliveryError] = []
        self.seconds = 0.0

    async def mark(self, to: Address) -> None:
        await self._call("mark", to)
        self.marked.add(to.message)

    async def unmark(self, to: Address) -> None:
        await self._call("unmark", to)
        self.marked.discard(to.message)

    async def whisper(self, to: Address, text: str) -> None: ...

    async def suggest(self, to: Address, suggestions: Sequence[Suggestion]) -> bool:
        return bool(to.chat and suggestions)

    async def _call(self, what: str, to: Address) -> None:
        self.calls.append((what, to.message))
        await asyncio.sleep(self.seconds)
        if self.trouble:
            raise self.trouble.pop(0)


def marking(house: House) -> FakeCourtesies:
    house.platform.courtesies = courtesies = FakeCourtesies()
    house.marks = Marks()
    return courtesies


def test_a_message_is_marked_while_it_is_answered_and_not_afterwards() -> None:
    house = House(says(5.0, "fine"))
    courtesies = marking(house)

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(1)
        assert courtesies.marked == {"m-one"}
        await house.quiet()
        await asyncio.sleep(1)

    tell(house, story)
    assert courtesies.calls == [("mark", "m-one"), ("unmark", "m-one")]


def test_a_slow_mark_waits_in_front_of_nothing_and_is_taken_away_after_it_was_made() -> None:
    house = House(says("fine"))
    courtesies = marking(house)
    courtesies.seconds = 8.0

    async def story() -> None:
        await house.say(message("one"))
        await house.quiet()
        assert house.platform.messages[0].history[0][0] < 1.0
        await asyncio.sleep(20)

    tell(house, story)
    assert courtesies.calls == [("mark", "m-one"), ("unmark", "m-one")]
    assert courtesies.marked == set()


@pytest.mark.parametrize("trouble", [DeliveryRefusedError("no"), DeliveryDelayedError("later", 2.0)])
def test_a_mark_that_fails_harms_nothing(trouble: DeliveryError) -> None:
    house = House(says("fine"))
    courtesies = marking(house)
    courtesies.trouble = [trouble]

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(10)

    tell(house, story)
    assert house.platform.shown == ["fine"]
    assert courtesies.marked == set()


def test_taking_a_mark_away_is_tried_again() -> None:
    house = House(says(5.0, "fine"))
    courtesies = marking(house)

    async def story() -> None:
        await house.say(message("one"))
        await asyncio.sleep(1)
        courtesies.trouble = [DeliveryDelayedError("later", 2.0)]
        await house.quiet()
        await asyncio.sleep(10)

    tell(house, story)
    assert courtesies.calls == [("mark", "m-one"), ("unmark", "m-one"), ("unmark", "m-one")]
    assert courtesies.marked == set()


def test_who_takes_a_turn_over_takes_its_mark_away() -> None:
    house = House(says(5.0, "fine"))
    courtesies = marking(house)

    async def whole() -> None:
        async with house.running():
            await house.say(message("one"))
            await asyncio.sleep(1)
        assert courtesies.marked == {"m-one"}
        house.marks = Marks()
        async with house.running():
            await house.quiet()
            await asyncio.sleep(1)

    virtual_time.run(whole())
    assert courtesies.marked == set()


def test_every_message_of_a_turn_is_marked_and_none_keeps_its_mark_although_another_process_admitted_it() -> (
    None
):
    house = House(says(5.0, "fine"), when_busy="merge", max_replies=1)
    courtesies = marking(house)
    admitting = Marks()

    async def story() -> None:
        there = asyncio.create_task(admitting.run())
        await asyncio.sleep(0)
        for text in ("one", "two", "three", "four"):
            await house.say(message(text))
            admitting.received(house.bot.outbound, message(text))
        await asyncio.sleep(1)
        assert courtesies.marked == {"m-one", "m-two", "m-three", "m-four"}
        await house.quiet()
        await asyncio.sleep(1)
        there.cancel()

    tell(house, story)
    assert house.outcomes == ["answered", "answered"]
    assert courtesies.marked == set()


def test_a_question_that_is_stopped_while_it_waits_loses_the_mark_of_the_process_that_took_it() -> None:
    house = House(says(5.0, "fine"))
    courtesies = marking(house)

    async def story() -> None:
        await house.say(message("one"))
        await house.say(message("two"))
        courtesies.marked.add("m-two")
        await house.directory.take_back("helpdesk", message("two").turn_id)
        await house.quiet()
        await asyncio.sleep(1)

    tell(house, story)
    assert courtesies.marked == set()


def test_what_is_refused_or_for_nobody_is_not_marked() -> None:
    house = House(says("fine"), gates=Gates(users=frozenset({"U1"})))
    courtesies = marking(house)

    async def story() -> None:
        await house.say(message("one", user="U9"))
        await house.say(written("/help"))
        await house.say(replace(message("two"), origin="api"))

    tell(house, story)
    assert courtesies.calls == []
