from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.slack.mrkdwn import readable
from channels.slack.render import PART_BYTES, PLACEHOLDER, RENDERED_BYTES, cut, render, rendering, shown
from tests.channels.markdown.pieces import GROWING, texts_of


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("<!channel>", "&lt;!channel>"),
        ("<!subteam^S012>", "&lt;!subteam^S012>"),
        ("<!CHANNEL>", "&lt;!CHANNEL>"),
        ("<!here|@here>", "&lt;!here|@\u200bhere>"),
        ("<@U1>", "&lt;@U1>"),
        ("@everyone", "@\u200beveryone"),
    ],
)
def test_nobody_is_notified(tag: str, text: str) -> None:
    assert render(f"a {tag} b") == f"a {text} b"


@pytest.mark.parametrize("word", ["!channel", "!here", "!everyone", "!subteam^S012", "!CHANNEL", "@U0A1"])
def test_nobody_is_notified_by_code(word: str) -> None:
    assert render(f"`<{word}>`") == f"`<\u200b{word}>`"
    assert render(f"```\n<{word}>\n```") == f"```\n<\u200b{word}>\n```"


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n**bold** [a](https://b.c)",
        "```\n<!-- c --> <!DOCTYPE html> <@a>\n```",
        "a < b",
        "`<!ELEMENT x>`",
    ],
)
def test_what_slack_draws_itself_stays_as_it_is(text: str) -> None:
    assert render(text) == text


def test_nothing_to_be_seen_is_no_empty_message() -> None:
    assert render(" \n") == render("\x07") == shown("**") == PLACEHOLDER


@pytest.mark.parametrize("text", texts_of(GROWING, 12_000))
def test_a_part_fits_into_a_message_whatever_rendering_adds(text: str) -> None:
    rest: str | None = text
    while rest:
        part, rest = cut(rest) or (rest, None)
        assert len(render(part).encode()) <= RENDERED_BYTES


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(GROWING), min_size=1, max_size=4).map("".join))
@example("\x07字**a**字**b**")
def test_a_part_of_anything_fits_into_a_message(unit: str) -> None:
    part, _ = cut(unit * (12_000 // len(unit))) or (unit, "")
    assert len(render(part).encode()) <= RENDERED_BYTES


def test_ordinary_text_fills_a_message() -> None:
    halves = cut("A sentence of **some** words, with `code` in it. " * 400)
    assert halves is not None
    assert PART_BYTES - 600 < len(halves[0]) <= PART_BYTES


@settings(deadline=None, max_examples=50)
@given(st.text("a\n<`*- ", min_size=60, max_size=120), st.text("a\n<`*- ", min_size=60, max_size=120))
def test_a_head_stays_when_more_text_follows(beginning: str, end: str) -> None:
    text = (beginning * 200)[:9_500] + (end * 100)[:4_000]
    heads = [halves[0] for size in range(1000, len(text), 500) if (halves := cut(text[:size])) is not None]
    assert len(set(heads)) == 1


def test_what_was_appended_to_a_stream_begins_what_ends_it() -> None:
    growing = rendering()
    growing.grow("Because **<!chan")
    assert growing.settled == "Because "
    assert growing.finish("Because **<!channel>**") == "Because **&lt;!channel>**"


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
        ("<#C1|general> <#C2>", "#general <#C2>"),
        ("<!here> <!subteam^S1|@ops> <!date^1^{date}|today>", "@here @ops today"),
        ("if a &lt; b &amp;&amp; b &gt; c", "if a < b && b > c"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_slacks_markup_becomes_readable(slack: str, plain: str) -> None:
    assert readable(slack, own={"UBOT"}) == plain


def test_a_long_run_of_blanks_costs_no_more_than_its_length() -> None:
    assert readable("<@UBOT>" + " " * 200_000 + "x", own={"UBOT"}) == "x"
