"""Answers that people stop, interrupt and take back, seen on the platforms; the real gateway on each store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conversation.texts import notice
from conversation.turn import Reason
from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.faults.talk import PLATFORMS
from tests.town import Town, town
from tests.waiting import until

LONG = "word by word it grows, and it goes on for quite a while. " * 20


def script(messages: list[Message]) -> Reply:
    return Reply(LONG if messages[-1].content.startswith("one") else f"fine: {messages[-1].content}")


def replies(look: Callable[[], list[Shown]]) -> list[str]:
    return [shown.text for shown in look() if shown.author == "bot" and not shown.deleted]


def sentence(reason: Reason) -> str:
    return notice(reason, "en", "").partition(" (ref")[0]


async def grows(look: Callable[[], list[Shown]]) -> None:
    await until(lambda: any("word" in text for text in replies(look)), 10, lambda: replies(look))


async def _says_stop(here: Town, platform: str, said: Said) -> None:
    match platform:
        case "lark":
            stop = await here.lark_dm("/stop")
        case "slack thread":
            stop = await here.mention("/STOP ", thread=said.thread)
        case _:
            stop = await here.slack_dm("/stop")
    assert stop.accepted


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_stop_ends_the_answer_that_grows_and_the_next_one_follows(
    tmp_path: Path, platform: str
) -> None:
    async with town(tmp_path, script=script, tokens_per_second=15) as here:
        said, look = await PLATFORMS[platform](here)
        await grows(look)
        await _says_stop(here, platform, said[0])
        await until(lambda: "fine: two" in replies(look), 15, lambda: replies(look))
        stopped, following = replies(look)
        assert stopped.startswith("word")
        assert sentence(Reason.CANCELLED) in stopped
        assert following == "fine: two"
        assert here.model.calls_made[0].aborted, "nobody pays for what nobody reads"
        await here.slack.settle()
        await here.lark.settle()
        assert replies(look) == [stopped, following], "a redelivered wish stops nothing more"


async def test_slacks_stop_button_ends_the_answer_where_it_is(tmp_path: Path) -> None:
    async with town(tmp_path, script=script, tokens_per_second=15) as here:
        said, look = await PLATFORMS["slack thread"](here)
        await grows(look)
        assert said[0].thread is not None
        await here.slack.press_stop(
            here.gateway.slack_webhook, channel="C1", thread_ts=said[0].thread, user="U1"
        )
        await until(lambda: "fine: two" in replies(look), 15, lambda: replies(look))
        stopped, _ = replies(look)
        assert LONG.startswith(stopped), "what was shown stays as it was"
        assert here.slack.open_streams() == []
        assert "dead" not in (tmp_path / "gateway.log").read_text()


@pytest.mark.parametrize("platform", ["lark", "slack dm"])
async def test_a_message_taken_back_is_answered_no_further_or_not_at_all(
    tmp_path: Path, platform: str
) -> None:
    async with town(tmp_path, script=script, tokens_per_second=15) as here:
        (first, second), look = await PLATFORMS[platform](here)
        await grows(look)
        for said in (second, first):
            if platform == "lark":
                await here.lark.recall(here.gateway.lark_webhook, said)
            else:
                await here.slack.take_back(here.gateway.slack_webhook, said)
        await until(lambda: sentence(Reason.TAKEN_BACK) in "".join(replies(look)), 15, lambda: replies(look))
        third = await (here.lark_dm("three") if platform == "lark" else here.slack_dm("three"))
        assert third.accepted
        await until(lambda: "fine: three" in replies(look), 15, lambda: replies(look))
        assert len(replies(look)) == 2
        assert [call.question for call in here.model.calls_made] == ["one", "three"]


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_newer_message_interrupts_and_is_answered(tmp_path: Path, platform: str) -> None:
    async with town(
        tmp_path, script=script, tokens_per_second=15, settings={"bots": {"when_busy": "interrupt"}}
    ) as here:
        _, look = await PLATFORMS[platform](here)
        await until(lambda: "fine: two" in replies(look), 15, lambda: replies(look))
        assert sentence(Reason.SUPERSEDED) in replies(look)[0]


async def test_messages_of_one_person_are_merged_while_an_answer_is_written(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=lambda messages: Reply(f"fine: {messages[-1].content}"),
        first_token_after=1.0,
        settings={"bots": {"when_busy": "merge"}},
    ) as here:
        for text in ("one", "two", "three"):
            assert (await here.lark_dm(text)).accepted
        await until(lambda: len(replies(lambda: here.lark.chat("oc_1"))) == 2, 15)
        await until(lambda: "three" in "".join(replies(lambda: here.lark.chat("oc_1"))), 15)
        assert [call.question for call in here.model.calls_made] == ["one", "two\n\nthree"]
