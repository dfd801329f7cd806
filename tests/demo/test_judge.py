"""The judge finds what a person would complain about."""

from __future__ import annotations

from gateway.demo.judge import judge_conversation, letters
from gateway.demo.people import Said
from gateway.demo.standin import Shown

FIRST = "First answer, with **bold** text."
SECOND = "Second answer:\n```py\nx = 1\n```\nand the rest."


def said() -> list[Said]:
    return [Said(f"q{n}", "C", None, "U", f"question {n}", float(n)) for n in (1, 2)]


def reply(ts: str, *history: tuple[float, str], streaming: bool = False) -> Shown:
    text = history[-1][1]
    return Shown(ts, "C", "bot", "B", history[0][0], text=text, history=list(history), streaming=streaming)


def faults(*shown: Shown) -> list[str]:
    return judge_conversation(shown, said(), [FIRST, SECOND])


def test_two_complete_replies_one_after_the_other_are_right() -> None:
    assert faults(reply("a", (1, "First"), (2, FIRST)), reply("b", (3, SECOND))) == []


def test_a_reply_in_two_messages_is_one_reply() -> None:
    cut = "Second answer:\n```py\nx = 1\n```", "and the rest."
    assert faults(reply("a", (1, FIRST)), reply("b", (2, cut[0])), reply("c", (3, cut[1]))) == []


def test_a_platforms_spelling_of_the_same_text_is_the_same_text() -> None:
    spelled = "First answer, with\u200b **bold** text."
    assert faults(reply("a", (1, spelled)), reply("b", (2, SECOND))) == []
    assert letters("- ☐ a < b\n- ☑ 字") == letters("* [ ] a &lt; b\n* [x] \u200b**字**")
    assert letters("- ☐ a < b") != letters("- ☐ a b")


def test_a_placeholder_before_the_first_text_is_no_overlap() -> None:
    assert faults(reply("a", (1, "First"), (3, FIRST)), reply("b", (2, "…"), (4, SECOND))) == []


def test_an_incomplete_reply() -> None:
    (missing, extra) = faults(reply("a", (1, FIRST)), reply("b", (2, SECOND[:-3])))
    assert "'question 2' has no complete reply" in missing
    assert "one reply too many" in extra


def test_a_reply_shown_twice() -> None:
    (fault,) = faults(reply("a", (1, FIRST)), reply("b", (2, SECOND)), reply("c", (3, SECOND)))
    assert "c is one reply too many" in fault


def test_an_empty_message_is_one_too_many() -> None:
    (fault,) = faults(reply("e", (1, "")), reply("a", (1, FIRST)), reply("b", (2, SECOND)))
    assert "e is one reply too many" in fault


def test_replies_in_the_wrong_order() -> None:
    found = faults(reply("b", (1, SECOND)), reply("a", (2, FIRST)))
    assert any("stands before" in fault for fault in found)


def test_overlapping_replies() -> None:
    (fault,) = faults(reply("a", (1, "First"), (3, FIRST)), reply("b", (2, "Second"), (4, SECOND)))
    assert "1.00 s before" in fault


def test_a_reply_that_still_streams() -> None:
    (fault,) = faults(reply("a", (1, FIRST)), reply("b", (2, SECOND), streaming=True))
    assert fault == "b is still streaming"
