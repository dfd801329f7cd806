"""Why a message was answered so, or not at all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import get_args

import pytest

from channels.port import Named
from conversation.bot import Gates
from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from conversation.providers.port import ProviderError
from conversation.stores.events import EventKind
from conversation.turn import Reason
from gateway.admin import explanations
from gateway.admin.access import Principal
from gateway.admin.errors import UnknownError
from gateway.admin.turns import TurnStory
from gateway.console.texts import en, zh
from gateway.hosting import HostedBot
from gateway.status import TROUBLES
from tests.conversation.fake_platform import says
from tests.conversation.made_up import key, message
from tests.gateway.admin.front_office import ADMIN, STRANGER, VIEWER, FrontOffice, tell


def turn(text: str = "hello") -> str:
    return message(text).turn_id


async def only(office: FrontOffice, what: str, who: Principal = ADMIN) -> TurnStory:
    (story,) = await office.turns.explain(who, what)
    return story


def told(story: TurnStory, sentence: explanations.Sentence) -> bool:
    return (story.said_en, story.said_zh) == (sentence.en, sentence.zh)


def test_a_turn_is_found_by_its_id_its_reference_and_its_conversation() -> None:
    office = FrontOffice(says("a", 2.0, "b"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        by_id = await only(office, turn())
        assert by_id == await only(office, f" {turn()[:8].upper()} ")
        assert by_id == await only(office, str(key()))
        assert (by_id.state, by_id.outcome, by_id.reason) == ("ended", "answered", None)
        assert told(by_id, explanations.ANSWERED)
        assert (by_id.text, by_id.answer) == ("hello", "ab")
        assert [(step.kind, step.seconds_since_before) for step in by_id.steps] == [
            ("message.admitted", None),
            ("turn.claimed", 0.0),
            ("turn.completed", pytest.approx(2.0, abs=0.5)),
        ]

    tell(office, story)


def test_texts_are_for_who_may_read_them_and_turns_for_who_sees_their_bot() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        blind = await only(office, turn(), VIEWER)
        assert (blind.text, blind.answer) == (None, None)
        assert told(blind, explanations.ANSWERED)
        for what in (turn(), turn()[:8], str(key())):
            with pytest.raises(UnknownError):
                await office.turns.explain(STRANGER, what)

    tell(office, story)


def test_what_waits_what_runs_and_what_is_tried_again_is_said_so() -> None:
    office = FrontOffice(says(5.0, "fine"))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        await asyncio.sleep(1)
        running, waiting = await only(office, turn("one")), await only(office, turn("two"))
        assert (running.state, waiting.state) == ("running", "waiting")
        assert told(running, explanations.RUNNING)
        assert told(waiting, explanations.WAITING)
        assert waiting.text == "two"
        office.house.platform.trouble["open"] = [DeliveryDelayedError("429", 600.0)]
        await asyncio.sleep(10)
        again = await only(office, turn("one"))
        assert again.state == "waiting"
        assert told(again, explanations.BACKING_OFF)
        assert [step.kind for step in again.steps][-1] == "turn.retried"

    tell(office, story)


def test_every_reason_and_trouble_of_a_platform_has_a_sentence() -> None:
    assert set(explanations.REASONS) == set(Reason)
    assert set(explanations.ERRORS) >= TROUBLES


def test_every_event_and_reason_is_called_something_in_the_console() -> None:
    for table in (en.TEXTS, zh.TEXTS):
        assert {f"event.{kind}" for kind in get_args(EventKind)} <= set(table)
        assert {f"reason.{reason}" for reason in Reason} <= set(table)


def test_why_there_was_no_answer_is_said_for_every_end() -> None:
    office = FrontOffice(says(ProviderError(Reason.MODEL_ERROR, "no")))

    async def story() -> None:
        await office.house.say(message("failed"))
        await office.house.quiet()
        office.house.bot = replace(office.house.bot, gates=Gates(users=frozenset({"U9"})))
        await office.house.say(message("not allowed"))
        await office.house.quiet()
        ends = {
            "failed": ("failed", Reason.MODEL_ERROR),
            "not allowed": ("refused", Reason.NOT_ALLOWED),
        }
        for text, (outcome, reason) in ends.items():
            found = await only(office, turn(text))
            assert (found.state, found.outcome, found.reason) == ("ended", outcome, reason)
            assert told(found, explanations.REASONS[reason])

    tell(office, story)


def test_a_dead_letter_is_said_to_be_dead_and_keeps_its_text() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        office.house.platform.trouble["open"] = [DeliveryRefusedError("gone")] * 2
        await office.house.say(message("undelivered"))
        await office.house.quiet()
        found = await only(office, turn("undelivered"))
        assert (found.outcome, found.reason) == ("dead", Reason.DELIVERY_FAILED)
        assert (found.text, found.answer) == ("undelivered", None)

    tell(office, story)


def test_a_message_that_a_full_queue_refused_is_said_so() -> None:
    office = FrontOffice(says(5.0, "fine"), limits=Limits(queued=0))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        found = await only(office, turn("two"))
        assert (found.state, found.outcome, found.reason) == ("ended", "refused", Reason.QUEUE_FULL)
        assert told(found, explanations.REASONS[Reason.QUEUE_FULL])

    tell(office, story)


def test_a_message_that_was_merged_tells_what_became_of_both() -> None:
    office = FrontOffice(says(5.0, "fine"), when_busy="merge")

    async def story() -> None:
        for text in ("one", "two", "three"):
            await office.house.say(message(text))
        waiting = await only(office, turn("three"))
        assert (waiting.state, waiting.merged_into) == ("waiting", turn("two"))
        await office.house.quiet()
        found = await only(office, turn("three"))
        assert (found.state, found.outcome, found.merged_into) == ("ended", "answered", turn("two"))
        assert told(found, explanations.MERGED)
        assert found.text == "two\n\nthree"
        assert [step.kind for step in found.steps][-1] == "turn.completed"

    tell(office, story)


def test_a_message_that_was_taken_back_while_it_waited_is_said_so() -> None:
    office = FrontOffice(says(5.0, "fine"))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        await office.house.directory.take_back("helpdesk", turn("two"))
        await office.house.quiet()
        found = await only(office, turn("two"))
        assert (found.outcome, found.reason) == ("cancelled", Reason.TAKEN_BACK)

    tell(office, story)


def test_a_conversation_tells_its_newest_turns_oldest_first() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        for number in range(25):
            await office.house.say(message(str(number)))
            await office.house.quiet()
        stories = await office.turns.explain(ADMIN, str(key()))
        assert [one.text for one in stories] == [str(number) for number in range(5, 25)]

    tell(office, story)


@pytest.mark.parametrize("what", ["", "hello", "1234567", "x" * 10_000, "k1.nonsense", "<script>", "0" * 24])
def test_what_names_nothing_is_said_to(what: str) -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        with pytest.raises(UnknownError):
            await office.turns.explain(ADMIN, what)

    tell(office, story)


class _Linked:
    """A channel on which every link names one message; what else it can is the real one's."""

    def __init__(self, channel: object, named: Named | None) -> None:
        self._channel = channel
        self._named = named

    async def named(self, link: str) -> Named | None:
        return self._named if link.startswith("https://demo.slack.com/") else None

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)


def linked(office: FrontOffice, asked: InboundMessage, *, with_key: bool = False) -> None:
    route = office.routes["slack", "helpdesk"]
    channel = _Linked(route.channel, Named(asked.turn_id, asked.key if with_key else None))
    office.routes["slack", "helpdesk"] = HostedBot(route.bot, channel)  # type: ignore[arg-type]  # as good as one


def test_a_pasted_link_tells_the_story_of_its_message() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        linked(office, message())
        assert (await only(office, "https://demo.slack.com/archives/C1/p1")).id == turn()

    tell(office, story)


def test_a_link_to_the_answer_tells_the_story_of_its_conversation() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        linked(office, message("the answer"), with_key=True)
        assert (await only(office, "https://demo.slack.com/archives/C1/p1")).id == turn()

    tell(office, story)


def test_of_a_link_to_what_never_became_a_turn_it_is_said_what_is_known() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        linked(office, message("never"))
        nothing = await only(office, "https://demo.slack.com/archives/C1/p1")
        assert nothing.state == "never"
        assert nothing.id == turn("never")
        assert nothing.said_en.startswith(explanations.NEVER.en)
        assert explanations.QUIET.zh in nothing.said_zh
        for _ in range(3):
            office.book.answered("slack", "helpdesk", "ignored", "not_mentioned", 0.001)
        office.book.answered("slack", "helpdesk", "rejected", "signature", 0.001)
        counted = await only(office, "https://demo.slack.com/archives/C1/p1")
        assert "not_mentioned 3" in counted.said_en
        assert "signature 1" in counted.said_zh
        assert explanations.QUIET.en not in counted.said_en

    tell(office, story)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_in_both_languages(reason: Reason) -> None:
    sentence = explanations.REASONS[reason]
    assert re.search(r"[\u4e00-\u9fff]", sentence.zh)
    assert sentence.zh.endswith("。")
    assert sentence.en.endswith(".")
