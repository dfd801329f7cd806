"""A text in several messages: what a reader sees of all of them is the text, and it costs what its length is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.lark import render as lark
from channels.markdown import Dialect, Rendering, cut, inline, render
from channels.slack import render as slack
from tests.channels.markdown.manuscript import manuscript, words
from tests.channels.markdown.pieces import spelled
from tests.channels.markdown.reading import open_fence

Cut = Callable[[str], tuple[str, str] | None]

PLATFORMS = pytest.mark.parametrize(
    ("cut_at", "dialect"),
    [(slack.cut, slack.DIALECT), (lark.cut, lark.CARD), (lark.cut, lark.POST)],
    ids=["slack", "card", "post"],
)

LINES = st.sampled_from(
    [
        "",
        *spelled(r"""
    W #␣W␣W -␣W ␣␣-␣**W␣W**␣W 1.␣W >␣W >␣-␣W ```py W=1;W ``` |␣a␣|␣b␣| |---|---| |␣W␣|␣*W*␣| $W^2$
    [W␣W](https://a.b/c)␣W *W*␣W -␣[␣]␣W 字W字。W字 `W␣W`␣W ~~W~~ @W --- ~~~ $$ **重点：**W
"""),
    ]
)


def parts(text: str, cut_at: Cut) -> list[str]:
    found = []
    while (halves := cut_at(text)) is not None:
        head, text = halves
        found.append(head)
    return [*found, text]


def numbered(lines: list[str]) -> str:
    numbers = iter(range(100_000))
    return re.sub("W", lambda _: f"w{next(numbers)}w", "\n".join(lines))


@PLATFORMS
@settings(deadline=None)
@given(lines=st.lists(LINES, max_size=40), limit=st.integers(100, 400))
def test_every_word_is_seen_once_and_in_order(
    cut_at: Cut, dialect: Dialect, lines: list[str], limit: int
) -> None:
    text = numbered(lines)
    rendered = [render(part, dialect) for part in parts(text, lambda rest: cut(rest, limit))]
    assert [word for part in rendered for word in words(part)] == words(text)
    assert all(open_fence(part) is None for part in rendered)


@PLATFORMS
@settings(deadline=None, max_examples=25)
@given(
    lines=st.lists(LINES, min_size=30, max_size=80),
    pieces=st.lists(st.integers(1, 900), min_size=1, max_size=20),
)
def test_a_text_that_grows_is_cut_and_rendered_as_if_it_came_whole(
    cut_at: Cut, dialect: Dialect, lines: list[str], pieces: list[int]
) -> None:
    text = numbered(lines * 40)
    whole = [render(part, dialect) for part in parts(text, cut_at)]
    grown: list[str] = []
    rest, growing, fed, number = "", Rendering(dialect), 0, 0
    while fed < len(text):
        piece = text[fed : fed + pieces[number % len(pieces)] * 8]
        rest, fed, number = rest + piece, fed + len(piece), number + 1
        while (halves := cut_at(rest)) is not None:
            grown.append(growing.finish(halves[0]))
            rest, growing = halves[1], Rendering(dialect)
        growing.grow(rest)
    assert [*grown, growing.finish(rest)] == whole


@PLATFORMS
def test_a_link_a_row_an_emphasis_and_a_cluster_stay_whole_wherever_the_cut_falls(
    cut_at: Cut, dialect: Dialect
) -> None:
    whole = ["[a link of words](https://example.com/path)", "**bold words**", "👩‍👩‍👧‍👦", "`some code`", "🇩🇪"]
    for thing in whole:
        for shift in range(60, 100):
            text = "x" * (shift - 1) + f" {thing} " + "y" * 90
            found = parts(text, lambda rest: cut(rest, 110))
            assert sum(part.count(thing) for part in found) == 1, (thing, shift)


# Cost, counted: how many characters are looked at in all while a reply grows by pieces of forty characters.


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    count = 0

    class Counted(inline._Scan):
        def __init__(self, text: str, *args: object, **kwargs: object) -> None:
            nonlocal count
            count += len(text)
            super().__init__(text, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(inline, "_Scan", Counted)

    def taken() -> int:
        nonlocal count
        taken, count = count, 0
        return taken

    return taken


@PLATFORMS
def test_a_long_reply_costs_what_its_length_is(
    cut_at: Cut, dialect: Dialect, looked_at: Callable[[], int]
) -> None:
    def cost(length: int) -> float:
        text = manuscript(length)
        rest, growing = "", Rendering(dialect)
        looked_at()
        for start in range(0, len(text), 40):
            rest += text[start : start + 40]
            while (halves := cut_at(rest)) is not None:
                growing.finish(halves[0])
                rest, growing = halves[1], Rendering(dialect)
            growing.grow(rest)
        growing.finish(rest)
        return looked_at() / len(text)

    short, long = cost(25_000), cost(100_000)
    assert long < 1.3 * short + 1
    assert long < 20
