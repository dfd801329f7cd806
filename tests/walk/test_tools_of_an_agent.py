"""An agent that runs tools itself: from its stream to what people see meanwhile."""

from __future__ import annotations

from pathlib import Path

from gateway.demo.model import Message, Reply
from gateway.demo.standin import Shown, Task
from tests.town import town
from tests.waiting import until


def script(_: list[Message]) -> Reply:
    return Reply(
        "Soup, at noon.", first_token_after=0.0, steps=("Looking for soup", "Reading"), step_seconds=1.0
    )


async def test_people_see_what_an_agent_does_before_it_answers(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        mention = await here.mention("lunch?")
        direct = await here.slack_dm("lunch?")
        lark = await here.lark_dm("lunch?")
        await here.answered([mention], lambda: here.slack.thread("C1", mention.thread))
        await here.answered([direct], lambda: here.slack.thread("D1", direct.thread))
        await here.answered([lark], lambda: here.lark.chat("oc_1"))
        (streamed,) = [one for one in here.slack.thread("C1", mention.thread) if one.author == "bot"]
        assert streamed.tasks == {
            "step-1": Task("Looking for soup", ("in_progress", "complete")),
            "step-2": Task("Reading", ("in_progress", "complete")),
        }
        assert streamed.text == "Soup, at noon."
        (card,) = [one for one in here.lark.chat("oc_1") if one.author == "bot"]
        texts = [text for _, text in card.history]
        assert texts[:3] == ["…", "Looking for soup…", "Reading…"]
        assert texts[-1] == "Soup, at noon."
        assert not here.slack.complaints
        assert not here.lark.complaints
        await until(lambda: here.lark.open_cards() == here.slack.open_streams() == [], 10, lambda: "open")


async def test_an_agent_whose_gateway_died_over_a_tool_answers_in_the_same_message(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:

        def shown() -> list[Shown]:
            return [one for one in here.slack.thread("C1", mention.thread) if one.author == "bot"]

        mention = await here.mention("lunch?")
        await until(lambda: bool(shown() and shown()[0].tasks), 20, shown)
        await here.gateway.kill()
        await here.gateway.start()
        await here.answered([mention], lambda: here.slack.thread("C1", mention.thread))
        assert len(shown()) == 1
        assert len(here.model.calls_made) == 2
        assert not here.slack.complaints
