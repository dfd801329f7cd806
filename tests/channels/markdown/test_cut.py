from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from channels.markdown import SMALLEST_LIMIT, cut, steady
from tests.channels.markdown.reading import open_fence

LINES = st.sampled_from(
    [
        "A sentence. Another one! A third?",
        "一句话。又一句！第三句，很长。",
        "",
        "   ",
        "```py",
        "```",
        "~~~",
        "~~~~ text of `info`",
        "``",
        "    indented",
        "- item",
        "x = ['''```''']",
        "👩‍👩‍👧‍👦👍🏽🇩🇪🇫🇷 é",
        "word " * 20,
        "longword" * 10,
        "| a | b |",
        "|---|---|",
    ]
)
DOCUMENTS = st.lists(LINES | st.text(max_size=30), max_size=40).map("\n".join)
LIMITS = st.integers(SMALLEST_LIMIT, 400)


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def pieces(text: str, limit: int) -> list[str]:
    found = []
    while (halves := cut(text, limit)) is not None:
        head, text = halves
        found.append(head)
    return [*found, text]


@settings(deadline=None)
@given(DOCUMENTS, LIMITS)
def test_every_piece_is_within_the_limit_and_none_is_empty(text: str, limit: int) -> None:
    found = pieces(text, limit)
    assert all(size(piece) <= limit for piece in found)
    assert all(found) or not text


@settings(deadline=None)
@given(DOCUMENTS.filter(lambda text: not re.search(r"```|~~~|[>|$]|\\\[", text)), LIMITS)
def test_without_fences_quotes_and_tables_the_pieces_are_the_text(text: str, limit: int) -> None:
    assert "".join(pieces(text, limit)) == text


@settings(deadline=None)
@given(DOCUMENTS.filter(lambda text: not re.search(r"[>|$]|\\\[", text)), LIMITS)
def test_only_white_space_and_fences_are_added_or_taken(text: str, limit: int) -> None:
    def bare(source: str) -> str:
        return re.sub(r"[`~\s]", "", source)

    text = re.sub(r"(?m)^([ \t]*(?:```+|~~~+)).*$", r"\1", text)  # a repeated info string is no loss
    assert bare("".join(pieces(text, limit))) == bare(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(DOCUMENTS, DOCUMENTS, LIMITS)
def test_the_head_stays_when_more_text_follows(text: str, more: str, limit: int) -> None:
    before = cut(text, limit)
    assume(before is not None)
    after = cut(text + more, limit)
    assert before is not None
    assert after is not None
    assert after[0] == before[0]


@settings(deadline=None)
@given(st.lists(LINES, max_size=60).map("\n".join), st.integers(120, 400))
def test_no_piece_but_the_last_leaves_a_fence_open(text: str, limit: int) -> None:
    *heads, last = pieces(text, limit)
    assert [open_fence(head) for head in heads] == [None] * len(heads)
    left, right = open_fence(last), open_fence(text)
    assert (left and left[0]) == (right and right[0])


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a = 1", "", "    b", "for x in y:", "c" * 70]), min_size=1),
    st.integers(80, 200),
)
def test_a_long_code_block_becomes_several_with_the_same_code(code: list[str], limit: int) -> None:
    found = pieces("```python title=x\n" + "\n".join(code) + "\n```", limit)
    shown = []
    for piece in found:
        first, *lines, last = piece.split("\n")
        assert (first, last) == ("```python title=x", "```")
        shown += lines
    assert "".join(shown) == "".join(code)


def test_a_paragraph_wins_over_a_line_and_a_line_over_a_sentence() -> None:
    assert cut("One. Two.\n\nThree. Four.\nFive. " + "x" * 20, 40) == (
        "One. Two.\n\nThree. Four.\n",
        "Five. " + "x" * 20,
    )
    assert cut("Aaaaaa bbbbbb.\n\nCc. Dd.\nEe", 24) == ("Aaaaaa bbbbbb.\n\n", "Cc. Dd.\nEe")


def test_sentences_then_words_then_characters() -> None:
    assert cut("One two three. Four five six", 24) == ("One two three. ", "Four five six")
    assert cut("One two three four five six", 24) == ("One two three four five ", "six")
    assert cut("你好，世界。再见", 20) == ("你好，世界。", "再见")
    assert cut("x" * 30, 24) == ("x" * 24, "x" * 6)


def test_the_rest_does_not_begin_with_what_would_become_a_fence() -> None:
    assert cut("aaaa bbbb cccc ```d eeee", 18) == ("aaaa bbbb ", "cccc ```d eeee")


@pytest.mark.parametrize("unit", ["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "é̂", "1️⃣"])
def test_what_is_one_character_for_the_eye_stays_whole(unit: str) -> None:
    for shift in range(size(unit)):
        halves = cut("x" * shift + unit * 20, 60)
        assert halves is not None
        assert (len(halves[0]) - shift) % len(unit) == 0


def test_a_cut_before_a_fence_rather_than_inside() -> None:
    halves = cut("Some words to begin.\n```py\nx = 1\ny = 2\n```\n", 30)
    assert halves == ("Some words to begin.\n", "```py\nx = 1\ny = 2\n```\n")


def test_a_fence_in_a_list_goes_on_without_the_lists_indentation() -> None:
    halves = cut("1. ~~~py\n   first()\n   second()\n     third()\n   ~~~\n   after", 36)
    assert halves == (
        "1. ~~~py\n   first()\n   ~~~",
        "~~~py\nsecond()\n  third()\n~~~\n   after",
    )


def test_the_rest_never_consists_of_white_space_only() -> None:
    halves = cut("word " * 4 + " " * 30 + "\n", 24)
    assert halves == ("word word word ", "word " + " " * 30 + "\n")


# A text that grows: what is shown of it, and where it is cut then.


def test_far_from_the_limit_all_of_a_text_is_shown() -> None:
    text = "One. Two.\n\nThr"
    assert steady(text, 100) == len(text)


def test_near_the_limit_a_new_paragraph_waits_until_it_is_there() -> None:
    text = "A" * 180 + "\n\nOne. Two"
    assert steady(text, 200, shown=140) == 182
    assert steady(text + ".\n\nN", 200, shown=182) == len(text) + 3
    assert cut(text + " and three. Four.", 200, shown=182) == (
        "A" * 180 + "\n\n",
        "One. Two and three. Four.",
    )


def test_the_paragraph_that_is_on_screen_goes_on_by_sentences_and_is_cut_after_one() -> None:
    text = "A" * 180 + " Be. Cc dd"
    assert steady(text, 200, shown=183) == 185
    assert steady(text + " ee", 200, shown=185) == 185
    assert cut(text + " ee ff gg hh.", 200, shown=185) == ("A" * 180 + " Be. ", "Cc dd ee ff gg hh.")
    assert steady(text, 200) == 185, "the first words do not wait for a paragraph"


@pytest.mark.parametrize("drawn_to", [0, 3])
def test_rows_that_are_on_screen_stay_and_the_one_that_has_no_room_goes_on_whole(drawn_to: int) -> None:
    """Of a row that is not complete nothing is drawn, so the last one may begin before what was shown."""
    rows = "".join(f"| row {number} |\n" for number in range(5))
    text = "Some words before.\n\n| a |\n|---|\n" + rows
    row = text.index("| row 2")
    assert cut(text, row + 8, shown=row + drawn_to) == (text[:row], "| a |\n|---|\n" + text[row:])


def test_a_limit_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        cut("text", 15)


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        " ",
        "`",
        "~",
        "\n",
        "```\n",
        "- ```",
        "|-|\n",
        "\u0301",
        "\u200d",
        "🇩",
        "a. ",
        "```x`\n",
        "\ud800",
    ],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        start = time.process_time()
        cut(text + "x", length)
        return time.process_time() - start

    seconds(1000)
    small, large = min(seconds(20_000) for _ in range(3)), min(seconds(200_000) for _ in range(2))
    assert large < 40 * small + 0.05
