"""A text in several messages: what a reader sees of all of them is the text, and it costs what its length is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.lark import render as lark
from channels.markdown import Dialect, Rendering, cut, inline, render
from channels.slack import render as slack
from tests.channels.markdown.manuscript import manuscript, words
from tests.channels.markdown.pieces import spelled
from tests.channels.markdown.reading import open_fence, within

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


@dataclass
class Screen:
    """What a relay shows of a text that grows: every part as it ended, with all that was drawn of it before."""

    channel: ModuleType
    dialect: Dialect
    parts: list[str] = field(default_factory=list)
    rest: str = ""
    shown: int = 0
    drawn: str = ""

    def __post_init__(self) -> None:
        self._growing = Rendering(self.dialect)

    def grow(self, piece: str) -> None:
        self.rest += piece
        while (halves := self.channel.cut(self.rest, self.shown)) is not None:
            self._end(halves[0])
            self.rest, self.shown, self.drawn = halves[1], 0, ""
            self._growing = Rendering(self.dialect)
        steady = self.channel.steady(self.rest, self.shown)
        assert self.shown <= steady <= len(self.rest)
        self.shown = steady
        self._growing.grow(self.rest[:steady])
        self.drawn = self._growing.settled

    def end(self) -> list[str]:
        self._end(self.rest)
        return self.parts

    def _end(self, text: str) -> None:
        rendered = self._growing.finish(text)
        assert rendered == render(text, self.dialect)
        assert rendered.startswith(self.drawn), "something was taken back"
        self.parts.append(rendered)


GROWING = pytest.mark.parametrize(
    ("channel", "dialect"),
    [(slack, slack.DIALECT), (lark, lark.CARD)],
    ids=["slack", "card"],
)
PIECES = st.lists(st.integers(20, 900), min_size=1, max_size=20)


def grown(channel: ModuleType, dialect: Dialect, text: str, pieces: list[int]) -> list[str]:
    screen, fed = Screen(channel, dialect), 0
    for length in itertools.cycle(pieces):
        screen.grow(text[fed : fed + length])
        fed += length
        if fed >= len(text):
            return screen.end()
    raise AssertionError


@GROWING
@settings(deadline=None, max_examples=25)
@given(lines=st.lists(LINES, min_size=30, max_size=80), pieces=PIECES)
def test_of_a_text_that_grows_nothing_is_taken_back_and_every_word_is_seen_once(
    channel: ModuleType, dialect: Dialect, lines: list[str], pieces: list[int]
) -> None:
    text = numbered(lines * 20)
    seen = grown(channel, dialect, text, [8 * length for length in pieces])
    assert [word for part in seen for word in words(part)] == words(text)
    assert all(open_fence(part) is None for part in seen)


@GROWING
@settings(deadline=None, max_examples=6)
@given(first=st.integers(1, 2000), pieces=PIECES)
def test_a_long_text_that_grows_is_cut_where_nothing_comes_apart(
    channel: ModuleType, dialect: Dialect, first: int, pieces: list[int]
) -> None:
    text = "x" * first + "\n\n" + manuscript(40_000)
    seen = grown(channel, dialect, text, pieces)
    for part in seen:
        assert open_fence(part) is None
        assert not part.rstrip().endswith("|---|---|"), "a table without a row"
        assert all(row.endswith("|") for row in part.split("\n") if row.startswith("|"))
    assert sum(len(within(part, "link")) for part in seen) >= text.count("[link ")
    assert sum(len(within(part, "strong")) for part in seen) >= text.count("**words ")
    assert len(seen) <= len(parts(text, channel.cut)) + 1


@GROWING
def test_a_table_whose_first_rows_are_on_screen_goes_on_in_the_next_message(
    channel: ModuleType, dialect: Dialect
) -> None:
    before = "A paragraph of words. " * (channel.PART_BYTES * 4 // 5 // 22) + "\n\n"
    row = "| " + "a cell of words " * 6 + "| and another |\n"
    screen = Screen(channel, dialect)
    screen.grow(before + "| Name | Value |\n|---|---|\n" + row)
    assert screen.drawn.count("a cell") == 6, "a row is shown as soon as it is there"
    for _ in range(60):
        screen.grow(row)
    seen = screen.end()
    assert len(seen) >= 2
    assert seen[0].count("and another") > 1
    assert seen[1].startswith("| Name | Value |")
    assert sum(part.count("and another") for part in seen) == 61


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
