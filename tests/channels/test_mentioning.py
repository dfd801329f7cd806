"""Names that become mentions, in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import markdown
from channels.acquaintances import MOST_CONVERSATIONS, MOST_PEOPLE, Acquaintances
from channels.lark import render as lark
from channels.slack import render as slack
from conversation.messages import Address

PEOPLE = {"Ann": "U1", "Ann Lee": "U2", "张三": "U3", "Zoë": "U4"}


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("@Ann", "<@U1>"),
        ("@Ann Lee!", "<@U2>!"),
        ("@Ann Leeds", "<@U1> Leeds"),
        ("@Anna", "@Anna"),
        ("@张三你好", "<@U3>你好"),
        ("@Zoë.", "<@U4>."),
        ("**@Ann**", "**<@U1>**"),
        ("`@Ann`\n\n```\n@Ann\n```", None),
        ("[@Ann](https://a.b)", "[@Ann](https://a.b)"),
        ("me@Ann", "me@Ann"),
    ],
)
def test_a_known_name_becomes_a_mention(text: str, drawn: str | None) -> None:
    found = slack.render(text, PEOPLE)
    if drawn is None:
        assert "<@" not in found
    else:
        assert found == drawn


def test_lark_draws_its_own_tag() -> None:
    assert lark.rendering({"Ann": "ou_1"}).finish("Hi @Ann") == "Hi <at id=ou_1></at>"
    assert lark.rendering({"Ann": "ou_1"}).finish("Hi <at id=all></at>").count("<at") == 0


@given(
    st.lists(
        st.sampled_from(["@", "Ann", " ", "Lee", "张三", "Zo", "ë", "`", "*", "a", ".", "\n"]), max_size=20
    )
)
def test_what_was_shown_of_a_growing_text_stays(pieces: list[str]) -> None:
    growing = slack.rendering(PEOPLE)
    shown = text = ""
    for piece in pieces:
        text += piece
        growing.grow(text)
        assert growing.settled.startswith(shown)
        shown = growing.settled
    whole = growing.finish(text)
    assert whole.startswith(shown)
    assert whole == markdown.render(
        text, slack.SlackDialect({name: f"<@{id}>" for name, id in PEOPLE.items()})
    )


def test_nobody_means_everybody_and_what_is_known_is_bounded() -> None:
    known = Acquaintances()
    place = Address("C1", "1.1", "1.1", "U1", "T1")
    for name in ("channel", "Here", "EVERYONE", "all", "所有人", "x", ""):
        known.meet(place, "U1", name)
    assert known.of(place) == {}
    for number in range(MOST_PEOPLE + 5):
        known.meet(place, f"U{number}", f"Person {number}")
    assert len(known.of(place)) == MOST_PEOPLE
    for number in range(MOST_CONVERSATIONS):
        known.meet(Address(f"C{number}", "", "t", "", ""), "U1", "Ann")
    assert known.of(place) == {}
