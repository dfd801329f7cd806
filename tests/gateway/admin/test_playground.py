"""Talking to an agent in the playground: the real queue, executor and relay."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from conversation.turn import Reason
from gateway.admin.access import Principal
from gateway.admin.errors import ConflictError, InvalidError, NotAllowedError, UnknownError
from gateway.admin.playground import Shown
from tests.conversation.fake_platform import says
from tests.gateway.admin.front_office import OPERATOR, VIEWER, FrontOffice, tell

AGENT, CHAT = "default", "chat-1"


def texts(lines: tuple[Shown, ...]) -> list[tuple[str, str]]:
    return [(line.role, line.text) for line in lines]


def test_a_question_is_answered_in_the_chat_where_it_was_asked() -> None:
    office = FrontOffice(says("hel", 1.0, "lo"))

    async def story() -> None:
        for _ in range(2):  # the second one's answer had been lost
            turn = await office.playground.say(OPERATOR, AGENT, CHAT, " hi ", "r1")
        await asyncio.sleep(0.5)
        growing = await office.playground.shown(OPERATOR, AGENT, CHAT)
        assert texts(growing) == [("person", "hi"), ("agent", "hel")]
        assert [line.growing for line in growing] == [False, True]
        await office.house.quiet()
        done = await office.playground.shown(OPERATOR, AGENT, CHAT)
        assert texts(done) == [("person", "hi"), ("agent", "hello")]
        assert {line.turn for line in done} == {turn}
        assert await office.playground.shown(OPERATOR, AGENT, "chat-2") == ()

    tell(office, story)
    assert len(office.house.model.asked) == 1
    assert office.house.platform.messages == []


def test_the_conversation_is_remembered_and_waits_in_line() -> None:
    office = FrontOffice(says(1.0, "fine"))

    async def story() -> None:
        for number in range(3):
            await office.playground.say(OPERATOR, AGENT, CHAT, str(number), str(number))
        with pytest.raises(ConflictError):
            await office.playground.say(OPERATOR, AGENT, CHAT, "too many", "4")
        await office.house.quiet()
        shown = texts(await office.playground.shown(OPERATOR, AGENT, CHAT))
        assert shown == [
            (role, text) for number in "012" for role, text in (("person", number), ("agent", "fine"))
        ]

    tell(office, story)
    assert [len(prompt.entries) for prompt in office.house.model.asked] == [1, 3, 5]


def test_who_watches_sees_the_answer_grow() -> None:
    office = FrontOffice(says("a", 1.0, "b", 1.0, "c"))
    seen: list[list[tuple[str, str]]] = []

    async def story() -> None:
        async with aclosing(office.playground.watch(OPERATOR, AGENT, CHAT)) as changes:
            async for lines in changes:
                seen.append(texts(lines))
                if not lines:
                    await office.playground.say(OPERATOR, AGENT, CHAT, "hi", "r1")
                if len(lines) == 2 and not lines[1].growing:
                    break

    tell(office, story)
    assert seen[0] == []
    assert [one[1][1] for one in seen if len(one) == 2][-3:] == ["ab", "abc", "abc"] or "abc" in seen[-1][1][
        1
    ]
    assert ("agent", "ab") in [line for one in seen for line in one]
    assert seen[-1] == [("person", "hi"), ("agent", "abc")]


def test_an_answer_may_be_stopped() -> None:
    office = FrontOffice(says("a", 50.0, "b"))

    async def story() -> None:
        await office.playground.say(OPERATOR, AGENT, CHAT, "hi", "r1")
        await asyncio.sleep(1)
        assert await office.playground.stop(OPERATOR, AGENT, CHAT, "r2")
        await office.house.quiet()
        assert not await office.playground.stop(OPERATOR, AGENT, CHAT, "r3")
        (_, line) = await office.playground.shown(OPERATOR, AGENT, CHAT)
        assert line.text.startswith("a")
        assert not line.growing

    tell(office, story)
    assert office.house.outcomes == [Reason.CANCELLED]


def test_only_who_may_operate_and_read_texts_may_talk() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        for who in (VIEWER, Principal("audrey", "auditor")):
            with pytest.raises(NotAllowedError):
                await office.playground.say(who, AGENT, CHAT, "hi", "r1")
            with pytest.raises(NotAllowedError):
                await office.playground.shown(who, AGENT, CHAT)
            with pytest.raises(NotAllowedError):
                office.playground.watch(who, AGENT, CHAT)

    tell(office, story)
    assert office.house.model.asked == []


@pytest.mark.parametrize("chat", ["", "a/b", "..", "x" * 65, "é", "a b"])
def test_a_chat_that_is_no_name_is_refused(chat: str) -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        with pytest.raises(InvalidError, match="chat"):
            await office.playground.say(OPERATOR, AGENT, chat, "hi", "r1")

    tell(office, story)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 40_001, "half \ud800"])
def test_a_text_that_is_empty_too_long_or_broken_is_refused(text: str) -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        with pytest.raises(InvalidError, match="text"):
            await office.playground.say(OPERATOR, AGENT, CHAT, text, "r1")

    tell(office, story)


def test_an_agent_that_is_not_there_or_gone_cannot_be_talked_to() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        with pytest.raises(UnknownError):
            await office.playground.say(OPERATOR, "gone", CHAT, "hi", "r1")
        office.switch_off("playground~default")
        with pytest.raises(UnknownError):
            await office.playground.say(OPERATOR, AGENT, CHAT, "hi", "r1")

    tell(office, story)
