"""What an admin says and asks, where people really write: in Slack and in Lark, by their strict stand-ins."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.admin import explanations
from gateway.admin.conversations import CancelInput, MessageInput
from gateway.demo.standin import Shown
from tests.gateway.admin.both_platforms import ADMIN, Town, add_lark, add_slack, town
from tests.waiting import until

PLACES = ["slack thread", "slack dm", "lark dm", "lark group", "lark thread"]


async def person_says(whole: Town, place: str, text: str) -> str:
    """The bot that is spoken to."""
    slack, lark = f"{whole.webhooks}/slack/helpdesk", f"{whole.webhooks}/lark/assistant"
    match place:
        case "slack thread":
            await whole.slack.say(slack, channel="C1", user="U1", text=text)
        case "slack dm":
            await whole.slack.say(slack, channel="D1", user="U1", text=text)
        case "lark dm":
            await whole.lark.say(lark, chat="oc_1", user="ou_1", text=text)
        case "lark group":
            await whole.lark.say(lark, chat="oc_1", user="ou_1", text=text, chat_type="group")
        case _:
            await whole.lark.say(
                lark, chat="oc_1", user="ou_1", text=text, chat_type="group", thread_id="omt_1"
            )
    return (place.split(maxsplit=1)[0] == "slack" and "helpdesk") or "assistant"


def answers(whole: Town, place: str) -> list[str]:
    if place.startswith("lark"):
        return [one.text for one in whole.lark.chat("oc_1") if one.author == "bot"]
    channel = "C1" if place == "slack thread" else "D1"
    return [one.text for one in _everything(whole, channel) if one.author == "bot"]


def _everything(whole: Town, channel: str) -> list[Shown]:
    return list(whole.slack._rooms[channel].messages.values())


@pytest.mark.parametrize("place", PLACES)
async def test_what_an_admin_says_is_answered_in_the_conversation_where_people_see_it(
    tmp_path: Path, place: str
) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        await add_lark(whole)
        whole.slack.add_channel("C1")
        whole.slack.add_channel("D1", "im")
        bot = await person_says(whole, place, "hello")
        await until(lambda: len(answers(whole, place)) == 1, 10)
        desk = whole.admin.conversations
        (listed,) = (await desk.list(ADMIN, bot=bot, cursor=None, limit=9)).items
        said = MessageInput(type="message", text="the office closes at noon")
        done = await desk.command(ADMIN, listed.key, said, "r1")
        await until(lambda: any(said.text in answer for answer in answers(whole, place)[1:]), 10)
        assert len(answers(whole, place)) == 2
        assert await desk.command(ADMIN, listed.key, said, "r1") == done
        assert not (await desk.command(ADMIN, listed.key, CancelInput(type="cancel"), "r2")).done
        await asyncio.sleep(0.3)
        assert len(answers(whole, place)) == 2
        if place == "slack thread":
            assert len({one.thread or one.ts for one in _everything(whole, "C1")}) == 1
        detail = await desk.get(ADMIN, listed.key)
        persons, admins = [one.question for one in detail.transcript or ()]
        assert persons.endswith("hello"), "where several people talk, who said it and when stands before it"
        assert admins == "the office closes at noon"
        assert whole.slack.complaints == whole.lark.complaints == []


async def test_a_link_copied_in_slack_tells_why_it_was_answered_and_why_not(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        whole.slack.add_channel("C1")
        webhook = f"{whole.webhooks}/slack/helpdesk"
        asked = await whole.slack.say(webhook, channel="C1", user="U1", text="hello")
        await until(lambda: len(answers(whole, "slack thread")) == 1, 10)
        chatter = await whole.slack.say(webhook, channel="C1", user="U1", text="lunch?", mention=False)

        def link(ts: str, thread: str = "") -> str:
            end = f"?thread_ts={thread}&cid=C1" if thread else ""
            return f"https://demo.slack.com/archives/C1/p{ts.replace('.', '')}{end}"

        (story,) = await whole.admin.turns.explain(ADMIN, link(asked.ts))
        assert (story.state, story.outcome) == ("ended", "answered")
        assert (story.text or "").endswith("hello")
        answer = next(one for one in _everything(whole, "C1") if one.author == "bot")
        assert await whole.admin.turns.explain(ADMIN, link(answer.ts, asked.ts)) == (story,)
        (never,) = await whole.admin.turns.explain(ADMIN, link(chatter.ts))
        assert never.state == "never"
        assert explanations.NEVER.en in never.said_en
        assert "not_mentioned 1" in never.said_en
