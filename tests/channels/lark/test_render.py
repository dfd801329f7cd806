from __future__ import annotations

import re

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.lark.card import card_json
from channels.lark.render import PART_BYTES, cut, plain, render, summary

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n"
TEXTS = st.lists(
    st.sampled_from(
        ["<at", " id=all>", "</at>", "<at\n", "\n", '"', "\\", "word ", "汉", "😀", "```\n", "|a|b|\n|-|-|\n"]
    )
    | st.text(max_size=5),
    max_size=20,
).map("".join)


def test_the_model_cannot_notify_anybody() -> None:
    for tag in (
        "<at id=all></at>",
        '<at user_id="all">x</at>',
        "<AT id=ou_x />",
        "<a\x00t id=all>",
        "<at\tid=all>",
    ):
        shown = plain(tag)
        assert "<at" not in shown.lower()
        assert "\x00" not in shown
    assert plain("<atom> <b>") == "<atom> <b>"


def test_the_fifth_table_becomes_code() -> None:
    shown = render("\n".join([TABLE] * 6))
    assert shown.count("```") == 4
    assert shown.startswith("\n".join([TABLE] * 4))


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_more_text_makes_the_rendering_longer_and_no_other(text: str, more: str) -> None:
    shorter, longer = plain(text), plain(text + more)
    assert len(longer) >= len(shorter)
    assert longer.startswith(shorter) or re.search(r"</?at\Z", shorter, re.IGNORECASE)


@settings(deadline=None)
@given(TEXTS)
def test_lone_surrogates_and_control_characters_do_not_reach_the_platform(text: str) -> None:
    orjson.dumps(render(text + "\ud800\x07"))


def test_every_part_fits_into_a_card_however_much_has_to_be_escaped() -> None:
    for unit in ("word ", '"', "\n", "\\", "汉", "😀", "<at >", '"a\n'):
        rest = unit * (60_000 // len(unit.encode()))
        while True:
            halves = cut(rest)
            part, rest = halves if halves is not None else (rest, "")
            card = orjson.dumps(card_json(render(part), streaming=True))
            assert len(card) <= 30 * 1024
            if not rest:
                break


def test_plain_text_fills_a_card() -> None:
    halves = cut("word " * 10_000)
    assert halves is not None
    assert PART_BYTES - 10 < len(halves[0]) <= PART_BYTES


@settings(deadline=None)
@given(st.text('a"\n<t ', min_size=100, max_size=200), st.text('a"\n<t ', min_size=100, max_size=200))
def test_a_head_stays_when_more_text_follows(beginning: str, end: str) -> None:
    text = (beginning * 250)[:30_000] + end * 50
    first = next((cut(text[:length]) for length in range(5000, len(text), 2500) if cut(text[:length])), None)
    for length in range(5000, len(text), 1250):
        halves = cut(text[:length])
        later = cut(text[: length + 1250])
        assert halves is None or (later is not None and later[0] == halves[0])
    assert first is not None


def test_the_summary_is_one_short_line() -> None:
    assert summary("# Title\n\nSome   text") == "# Title Some text"
    assert len(summary("word " * 100)) == 60
