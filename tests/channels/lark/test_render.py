from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.lark.card import card_json
from channels.lark.render import (
    PART_BYTES,
    PLACEHOLDER,
    cut,
    plain,
    post,
    render,
    rendering,
    settled,
    summary,
)
from gateway.demo.lark_rules import CARD_BYTES, read_card, text_of_content
from tests.channels.markdown.pieces import GROWING, texts_of

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_the_model_cannot_notify_anybody() -> None:
    for tag in (
        "<at id=all></at>",
        '<at user_id="all">x</at>',
        "<AT id=ou_x />",
        "<a\x00t id=all>",
        "<at\tid=all>",
        "<at",
    ):
        for shown in (plain(tag), render(tag), post(tag), render(f"`{tag}`"), post(f"```\n{tag}\n")):
            assert "<at" not in shown.lower()
            assert "\x00" not in shown
    assert plain("<atom> <b>") == "<atom> <b>"


def test_the_fourth_table_becomes_code() -> None:
    shown = render("\n".join([TABLE] * 6))
    assert shown.count("```") == 6
    assert shown.startswith("\n".join([TABLE] * 3))
    read_card(orjson.dumps(card_json(shown, streaming=True)).decode())


def test_a_post_has_no_tables_and_no_headings() -> None:
    assert post(f"# A **bold** title\n\n{TABLE}") == f"**A bold title**\n\n```\n{TABLE}```"


@settings(deadline=None)
@given(st.text())
def test_lone_surrogates_and_control_characters_do_not_reach_the_platform(text: str) -> None:
    for shown in (render(text + "\ud800\x07"), post(text + "\ud800\x07"), plain(text + "\ud800\x07")):
        orjson.dumps(shown)


def test_nothing_to_be_seen_is_no_empty_message() -> None:
    assert post(" \n") == PLACEHOLDER
    assert settled("**") == ""


@pytest.mark.parametrize("text", texts_of(GROWING, 30_000))
def test_a_part_fits_into_a_card_and_a_post_whatever_rendering_adds(text: str) -> None:
    rest: str | None = text
    while rest:
        part, rest = cut(rest) or (rest, None)
        fits(part)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(GROWING), min_size=1, max_size=4).map("".join))
def test_a_part_of_anything_fits_into_a_card(unit: str) -> None:
    part, _ = cut(unit * (30_000 // len(unit))) or (unit, "")
    fits(part)


@pytest.mark.parametrize("unit", ["@Al ", "@Al,字 ", "x" * 40 + " @Al "])
def test_a_part_full_of_mentions_fits_into_a_card(unit: str) -> None:
    part, _ = cut(unit * (30_000 // len(unit))) or (unit, "")
    card = card_json(rendering({"Al": "ou_" + "f" * 32}).finish(part), streaming=False)
    assert len(orjson.dumps(card)) <= CARD_BYTES
    read_card(orjson.dumps(card).decode())


def fits(part: str) -> None:
    card = orjson.dumps(card_json(render(part), streaming=False)).decode()
    assert len(card.encode()) <= CARD_BYTES
    read_card(card)
    text_of_content(
        "post", orjson.dumps({"zh_cn": {"content": [[{"tag": "md", "text": post(part)}]]}}).decode()
    )


def test_plain_text_fills_a_card() -> None:
    halves = cut("word " * 10_000)
    assert halves is not None
    assert PART_BYTES - 10 < len(halves[0]) <= PART_BYTES


@settings(deadline=None, max_examples=50)
@given(st.text('a"\n<t ', min_size=100, max_size=200), st.text('a"\n<t ', min_size=100, max_size=200))
def test_a_head_stays_when_more_text_follows(beginning: str, end: str) -> None:
    text = (beginning * 250)[:30_000] + end * 50
    heads = [halves[0] for size in range(5000, len(text), 1250) if (halves := cut(text[:size])) is not None]
    assert len(set(heads)) == 1


def test_the_summary_is_one_short_line_without_markup() -> None:
    assert summary("# Title\n\n- Some   **text** with `code`") == "Title Some text with code"
    assert summary("2 - 1 snake_case #tag") == "2 - 1 snake_case #tag"
    assert len(summary("word " * 100)) == 60
