"""A reply of 100,000 characters is whole and in order wherever it is shown, and each of its messages is valid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway.demo.model import Message, Reply
from gateway.demo.standin import Shown
from tests.channels.markdown.manuscript import manuscript, words
from tests.channels.markdown.reading import kinds, open_fence, within
from tests.town import town
from tests.waiting import until

TEXT = manuscript(100_000)
Look = Callable[[], list[Shown]]


def script(_: list[Message]) -> Reply:
    return Reply(TEXT, first_token_after=0.1, tokens_per_second=4000.0)


def complete(look: Look) -> bool:
    seen = [word for shown in replies(look) for word in words(shown.text)]
    return seen == words(TEXT) and not any(shown.streaming for shown in replies(look))


def replies(look: Look) -> list[Shown]:
    return [shown for shown in look() if shown.author == "bot"]


def tables_of(shown: Shown) -> int:
    return kinds(shown.text).count("table")


def check(messages: Sequence[Shown], *, most_bytes: int) -> None:
    """Nothing was taken apart: neither code, a table, a link nor an emphasis."""
    for shown in messages:
        assert len(shown.text.encode()) <= most_bytes
        assert open_fence(shown.text) is None
        assert not shown.text.rstrip().endswith("|---|---|"), "a table without a row"
        for row in (line for line in shown.text.split("\n") if line.startswith("|")):
            assert row.endswith("|"), "a row that was cut"
    assert sum(len(within(shown.text, "link")) for shown in messages) >= TEXT.count("[link ")
    bold = sum(len(within(shown.text, "strong")) for shown in messages)
    assert bold >= TEXT.count("**words ")


@pytest.mark.timeout(240)
async def test_while_it_grows(tmp_path: Path) -> None:
    timeouts = {"first_token": "60s", "idle": "60s", "reply": "300s"}
    async with town(tmp_path, script=script, settings={"agents": {"timeouts": timeouts}}) as here:
        mention, _, _ = await asyncio.gather(
            here.mention("thread"), here.slack_dm("direct"), here.lark_dm("card")
        )
        looks: dict[str, Look] = {
            "thread": lambda: here.slack.thread("C1", mention.thread),
            "direct": lambda: here.slack.thread("D1", None),
            "card": lambda: here.lark.chat("oc_1"),
        }
        await until(
            lambda: all(complete(look) for look in looks.values()),
            180.0,
            lambda: {name: (len(replies(look)), complete(look)) for name, look in looks.items()},
        )
        for name in ("thread", "direct"):
            check(replies(looks[name]), most_bytes=10_400)
        check(replies(looks["card"]), most_bytes=29_000)
        assert all(tables_of(shown) <= 5 for shown in replies(looks["card"]))
        assert here.slack.calls["chat.startStream"] > 10
        assert here.lark.open_cards() == here.slack.open_streams() == []
        for shown in (*replies(looks["thread"]), *replies(looks["card"])):
            for (_, earlier), (_, later) in zip(shown.history, shown.history[1:], strict=False):
                assert earlier == "…" or later.startswith(earlier), "something was taken back"


@pytest.mark.timeout(240)
async def test_at_its_end(tmp_path: Path) -> None:
    async with town(tmp_path, script=script, settings={"bots": {"stream": False}}) as here:
        mention, _ = await asyncio.gather(here.mention("thread"), here.lark_dm("post"))
        looks: dict[str, Look] = {
            "thread": lambda: here.slack.thread("C1", mention.thread),
            "post": lambda: here.lark.chat("oc_1"),
        }
        await until(
            lambda: all(complete(look) for look in looks.values()),
            180.0,
            lambda: {name: (len(replies(look)), complete(look)) for name, look in looks.items()},
        )
        check(replies(looks["thread"]), most_bytes=10_400)
        check(replies(looks["post"]), most_bytes=29_000)
        assert all(len(shown.history) == 1 for look in looks.values() for shown in replies(look))
