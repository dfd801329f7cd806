"""What holds for any text, on every platform, however it comes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.lark.render import CARD, POST
from channels.markdown import Dialect, Rendering, inline, lines, render
from channels.slack.render import DIALECT as SLACK
from tests.channels.markdown.pieces import spelled
from tests.channels.markdown.reading import kinds, open_fence, spoken, within

DIALECTS = pytest.mark.parametrize("dialect", [SLACK, CARD, POST], ids=["slack", "card", "post"])

INLINE = spelled(r"""
    ** * _ __ ~~ ~ ` `` ``` [ ] ( ) ]( ![ $ $$ \ \( \) \[ \] < > @ @here | # ! 1 5 = : & 字 ： “ ” 。 word
    a_b ](https://a.b/c) ](x) http :// https://a.b/c https://a.b。 <at <at␣id=all> </at> <!channel>
    <@U123> <div> <br> <https://x.y> mailto:a@b.c 😀 👩‍👩‍👧‍👦
""")
BLOCKS = spelled(r"""
    ␣ ␣␣ ␣␣␣␣ ⇥ ⏎ ⏎⏎ ⏎-␣ ⏎␣␣-␣ ⏎1.␣ ⏎2)␣ ⏎>␣ ⏎> ⏎#␣ ⏎---⏎ ⏎===⏎ ⏎```py⏎ ⏎```⏎ ⏎~~~⏎ ⏎$$⏎ ⏎\[⏎
    ⏎|␣a␣|␣b␣|⏎ |---|---|⏎ -␣[x]␣ x␣=␣1 ␇ **bold** *em* `code` [a](https://a.b/c) $x^2$ ␍ ␦
""")
TEXTS = st.lists(st.sampled_from(INLINE) | st.sampled_from(BLOCKS), max_size=25).map("".join)

NOTIFIES = re.compile(r"<!(channel|here|everyone|group|subteam)|<@[UWB][A-Z0-9]", re.IGNORECASE)
BROADCASTS = re.compile(r"(?<![a-z0-9])@(channel|here|everyone)", re.IGNORECASE)
"""Where no code is: there Slack takes a word for what it is."""
AT_TAG = re.compile(r"<at[\s/>]", re.IGNORECASE)


@DIALECTS
@settings(deadline=None)
@given(text=TEXTS)
@example(text="```py\n<at<at id=all>")
@example(text="> $$\n> **")
def test_what_is_settled_stays_and_only_gets_longer(dialect: Dialect, text: str) -> None:
    final = render(text, dialect)
    growing = Rendering(dialect)
    before = ""
    for end in range(len(text) + 1):
        growing.grow(text[:end])
        assert growing.settled.startswith(before)
        assert final.startswith(growing.settled)
        before = growing.settled
    assert growing.finish(text) == final


@DIALECTS
@settings(deadline=None)
@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=6))
def test_the_pieces_in_which_a_text_comes_make_no_difference(
    dialect: Dialect, text: str, cuts: list[int]
) -> None:
    at_once, in_pieces = Rendering(dialect), Rendering(dialect)
    at_once.grow(text)
    for cut in sorted(min(cut, len(text)) for cut in cuts):
        in_pieces.grow(text[:cut])
    in_pieces.grow(text)
    assert in_pieces.settled == at_once.settled
    assert in_pieces.shown == at_once.shown
    assert in_pieces.finish(text) == at_once.finish(text)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that short texts exceed them."""
    for module in ("ahead", "emphasis", "spans", "inline"):
        monkeypatch.setattr(f"channels.markdown.{module}.SPAN", 12)
    monkeypatch.setattr("channels.markdown.spans.FORMULA", 8)
    for module in ("lines", "blocks", "code", "prose"):
        monkeypatch.setattr(f"channels.markdown.{module}.LONGEST_START", 9)


@pytest.mark.usefixtures("narrow")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_nor_do_they_where_something_is_too_long_to_wait_for(text: str) -> None:
    final = render(text, SLACK)
    growing = Rendering(SLACK)
    for end in range(len(text) + 1):
        growing.grow(text[:end])
        at_once = Rendering(SLACK)
        at_once.grow(text[:end])
        assert growing.settled == at_once.settled
        assert final.startswith(growing.settled)


@DIALECTS
@settings(deadline=None)
@given(text=TEXTS)
@example(text="~~~~`code`")
@example(text="```<br>`code`")
def test_what_is_shown_meanwhile_leaves_no_code_open(dialect: Dialect, text: str) -> None:
    growing = Rendering(dialect)
    growing.grow(text)
    assert open_fence(growing.shown) is None
    assert open_fence(growing.finish(text)) is None


@DIALECTS
@settings(deadline=None)
@given(text=TEXTS)
@example(text="```<at")
@example(text=r"\<at id=all> \<!channel> \@here")
def test_no_text_notifies_anybody(dialect: Dialect, text: str) -> None:
    growing = Rendering(dialect)
    growing.grow(text)
    pattern = NOTIFIES if dialect is SLACK else AT_TAG
    for rendered in (growing.settled, growing.shown, growing.finish(text)):
        assert pattern.search(rendered) is None
        if dialect is SLACK:
            assert not any(BROADCASTS.search(text) for text in spoken(rendered))


LINES = st.sampled_from(
    [
        "",
        *spelled(r"""
    W #␣W -␣W ␣␣-␣**W**␣W 1.␣W >␣W >␣-␣W ```W ``` |␣W␣|␣*W*␣| |---|---| $W^2$ [W](https://a.b)␣W *W␣W
    W\*W ␣␣␣␣W -␣[␣]␣W <W>␣W $$ W|W `W`␣W ~~W~~ @W ---
"""),
    ]
)


@DIALECTS
@settings(deadline=None)
@given(lines=st.lists(LINES, max_size=20))
def test_every_word_is_there_once_and_in_order(dialect: Dialect, lines: list[str]) -> None:
    numbers = iter(range(1000))
    text = re.sub("W", lambda _: f"w{next(numbers)}w", "\n".join(lines))
    words = re.findall(r"w\d+w", text)
    assert re.findall(r"w\d+w", render(text, dialect)) == words
    growing = Rendering(dialect)
    for end in range(0, len(text), 7):
        growing.grow(text[:end])
    growing.grow(text)
    assert re.findall(r"w\d+w", growing.settled) == words[: len(re.findall(r"w\d+w", growing.settled))]


@DIALECTS
def test_a_text_is_begun_anew_where_it_does_not_go_on(dialect: Dialect) -> None:
    growing = Rendering(dialect)
    growing.grow("one **two** three ```")
    growing.grow("one **two** four")
    assert growing.settled == "one **two** four"
    assert growing.finish("one **two** four") == growing.finish("one **two** four") == "one **two** four"
    growing.grow("one **two** four five")
    assert growing.settled == "one **two** four five"


def states(text: str, dialect: Dialect = SLACK) -> list[str]:
    """What can be seen one after the other while a text comes character by character."""
    growing = Rendering(dialect)
    found = [""]
    for end in range(1, len(text) + 1):
        growing.grow(text[:end])
        if growing.settled != found[-1]:
            found.append(growing.settled)
    return found[1:]


def test_an_emphasis_appears_when_it_is_complete() -> None:
    assert states("a **b** c") == ["a", "a ", "a **b** ", "a **b** c"]


def test_a_link_appears_when_it_is_complete() -> None:
    assert states("[a](https://b.c) d") == ["[a](https://b.c)", "[a](https://b.c) ", "[a](https://b.c) d"]


def test_a_code_block_opens_when_its_language_is_known_and_grows_by_characters() -> None:
    assert states("```py\nx\n```\ny") == ["```py", "```py\nx", "```py\nx\n```", "```py\nx\n```\ny"]


def test_a_table_appears_when_it_is_one_and_grows_by_rows() -> None:
    assert states("| a |\n|---|\n| 1 |\n| 2 |\n") == [
        "| a |\n|---|",
        "| a |\n|---|\n| 1 |",
        "| a |\n|---|\n| 1 |\n| 2 |",
    ]


def test_the_mark_of_an_item_appears_with_its_text() -> None:
    assert states("- [x] a\n1. b\n2") == ["- [x] a", "- [x] a\n1. b"]
    assert states("# T\n--- \n-") == ["# T", "# T\n---"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one **two thr", "one **two thr**"),
        ("one **two ", "one **two**"),
        ("one **", "one "),
        ("one **two *thr", "one **two *thr***"),
        ("one `two", "one "),
        ("one [two](htt", "one "),
        ("one **two** and `code`", "one **two** and `code`"),
        ("one **two**", "one **two**"),
        ("see https://a.b/c", "see https://a.b/c"),
        ("see htt", "see htt"),
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("```py\nx = 1\n``", "```py\nx = 1\n```"),
        ("| a |\n|---|\n| 1", "| a |\n|---|\n| 1|"),
        ("| a |\n|-", ""),
        ("a\n-", "a"),
        ("~~str", "~~str~~"),
    ],
)
def test_what_will_be_replaced_is_closed_where_it_is_not_complete(text: str, shown: str) -> None:
    growing = Rendering(SLACK)
    growing.grow(text)
    assert growing.shown == shown


@pytest.mark.parametrize(
    "text",
    [
        "**重点：**内容",
        "见**“引用”**和**（括号）**的",
        "前**加粗**后",
        "**`a`**后",
        "还有**[a](https://b.c)**后",
        "**好！**a",
    ],
)
def test_bold_beside_cjk_characters_is_bold_for_a_reader_of_commonmark(text: str) -> None:
    assert within(render(text, CARD), "strong")
    assert render(text, CARD).replace(" ", "") == text


@pytest.mark.parametrize(
    ("text", "strong", "em"),
    [
        ("***a***", ["a"], ["a"]),
        ("__a__ _b_", ["a"], ["b"]),
        ("*_a_*", [], ["a"]),
        ("**__a__**", ["a"], []),
        ("**a *b* c**", ["a b c"], ["b"]),
        ("a_b_c 2 * 3 * 4", [], []),
        ("*a **b***", ["b"], ["a b"]),
    ],
)
def test_emphasis_is_what_it_was(text: str, strong: list[str], em: list[str]) -> None:
    for dialect in (SLACK, CARD):
        rendered = render(text, dialect)
        assert (within(rendered, "strong"), within(rendered, "em")) == (strong, em)


def test_a_rule_makes_no_heading_of_the_paragraph_above() -> None:
    assert kinds(render("text\n---\nmore\n===", SLACK)) == [
        *("paragraph", "inline", "hr", "paragraph", "inline", "paragraph", "inline")
    ]


def test_a_table_is_one_without_blank_lines_around_it() -> None:
    rendered = render("text\n| a |\n|---|\n| 1 |\nmore", CARD)
    assert [kind for kind in kinds(rendered) if kind in {"paragraph", "table"}] == [
        "paragraph",
        "table",
        "paragraph",
    ]


# Cost, counted: how many characters are looked at in all.

UNITS = spelled(r"""
    word␣ ** *a␣ a*b [ [a]( ` `␣`` $ $a␣ <a \[ https://a.b/c 字 ( ]( a| -␣ >␣ > ⏎ -␣a⏎ ␣␣-␣a⏎ |␣a␣|⏎ |-|⏎
    ```⏎ 1 #␣ ⇥ _a ![
""")


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    count = 0

    class Counted(inline._Scan):
        def __init__(self, text: str, *args: object, **kwargs: object) -> None:
            nonlocal count
            count += len(text)
            super().__init__(text, *args, **kwargs)  # type: ignore[arg-type]

    def line_of(line: str, **context: object) -> lines.Line | None:
        nonlocal count
        count += min(len(line), lines.LONGEST_START)
        return real(line, **context)  # type: ignore[arg-type]

    real = lines.line_of
    monkeypatch.setattr(inline, "_Scan", Counted)
    monkeypatch.setattr("channels.markdown.blocks.line_of", line_of)

    def taken() -> int:
        nonlocal count
        taken, count = count, 0
        return taken

    return taken


@pytest.mark.parametrize("unit", UNITS)
def test_a_piece_costs_the_same_however_long_the_text_is(unit: str, looked_at: Callable[[], int]) -> None:
    def cost(length: int) -> int:
        text = (unit * length)[:length]
        growing = Rendering(SLACK)
        for end in range(0, length, 40):
            growing.grow(text[:end])
        looked_at()
        for end in range(length, length + 2000, 40):
            growing.grow((unit * (end + 1))[:end])
        return looked_at()

    assert cost(12_000) <= cost(4_000) + 2_000
