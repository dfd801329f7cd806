from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.slack.mrkdwn import readable
from channels.slack.render import render, settled

FIRES = re.compile(r"<!(channel|here|everyone|subteam\^)", re.IGNORECASE)
pieces = st.lists(
    st.sampled_from(
        ["<", "!", "<!", "channel", "here>", "everyone", "subteam^S1>", "!--", "c", "text ", "字", "@"]
    )
).map("".join)


@pytest.mark.parametrize("word", ["channel", "here", "everyone", "subteam^S012", "CHANNEL", "here|@here"])
def test_broadcasts_do_not_fire(word: str) -> None:
    assert render(f"a <!{word}> b") == f"a <\u200b!{word}> b"


@pytest.mark.parametrize(
    "text", ["# Title\n**bold** [a](https://b.c)", "<!-- c -->", "<!DOCTYPE html>", "a < b", "<@U1>"]
)
def test_the_models_markdown_stays_as_it_is(text: str) -> None:
    assert render(text) == text


@given(pieces)
def test_no_text_notifies_everybody(text: str) -> None:
    assert FIRES.search(render(text)) is None


@given(pieces, pieces)
def test_what_was_appended_stays_right_when_more_text_comes(before: str, after: str) -> None:
    assert render(before + after).startswith(settled(render(before)))


@pytest.mark.parametrize(
    ("slack", "plain"),
    [
        ("<@UBOT> hi", "hi"),
        ("hi <@UBOT|bot>, there", "hi, there"),
        ("<@UOTHER> hi", "<@UOTHER> hi"),
        ("<https://a.b/c>", "https://a.b/c"),
        ("<https://a.b/|a.b>", "https://a.b/"),
        ("<https://a.b|here &amp; there>", "here & there (https://a.b)"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!subteam^S1|@ops> <!date^1^{date}|today>", "@here @ops today"),
        ("if a &lt; b &amp;&amp; b &gt; c", "if a < b && b > c"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_slacks_markup_becomes_readable(slack: str, plain: str) -> None:
    assert readable(slack, own={"UBOT"}) == plain


def test_a_long_run_of_blanks_costs_no_more_than_its_length() -> None:
    assert readable("<@UBOT>" + " " * 200_000 + "x", own={"UBOT"}) == "x"
