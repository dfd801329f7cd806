"""The judge of a chaos run sees what it is there to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversation.texts import notice
from conversation.turn import Reason
from gateway.demo.people import Delivery, Said
from gateway.demo.standin import Shown
from tests.chaos.load import Talk, answer_to
from tests.chaos.plan import Plan, strikes
from tests.chaos.verdict import _turn_id, judge
from tests.chaos.watch import Change
from tests.chaos.writers import Wait, felt, stale_writes

TENANT = "demo-tenant"


class Chat:
    """A talk on Lark that is put together by hand; ``now`` in seconds."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.talk = Talk("lark p2p", "lark", lambda: self.shown)
        self.now = 100.0

    def says(self, text: str, admission: str = "accepted") -> Said:
        self.now += 1
        ts = f"om_{len(self.shown)}"
        said = Said(ts, "oc_1", None, "ou_1", text, self.now)
        status = 200 if admission else 0
        said.deliveries.append(Delivery("m", ts, 0, self.now, 0.1, status, admission))
        self.talk.said.append(said)
        self.shown.append(Shown(ts, "oc_1", "person", "ou_1", self.now, text))
        return said

    def replies(self, text: str, *, streaming: bool = False, to: str | None = None) -> Shown:
        self.now += 1
        shown = Shown(f"om_{len(self.shown)}", "oc_1", "bot", "ou_bot", self.now, reply_to=to)
        self.rewrites(shown, text)
        shown.streaming = streaming
        self.shown.append(shown)
        return shown

    def rewrites(self, shown: Shown, text: str) -> None:
        self.now += 1
        shown.text = text
        shown.history.append((self.now, text))

    def faults(self) -> list[str]:
        found = judge(self.talk, tenant=TENANT)
        return [kind for kind, sentences in found.faults.items() for _ in sentences]


@pytest.fixture
def chat() -> Chat:
    return Chat()


def whole(said: Said) -> str:
    return answer_to(said.text).text


def test_one_answer_each_in_order_is_all_that_is_asked_for(chat: Chat) -> None:
    for number in range(3):
        chat.replies(whole(chat.says(f"00000{number} question")))
    assert chat.faults() == []
    assert judge(chat.talk, tenant=TENANT).taken == 3


def test_a_message_taken_and_not_answered_is_lost(chat: Chat) -> None:
    chat.says("000001 question")
    assert chat.faults() == ["lost"]


def test_a_message_that_no_attempt_was_answered_for_may_be_answered_or_not(chat: Chat) -> None:
    chat.says("000001 question", "")
    answered = chat.says("000002 question", "")
    chat.replies(whole(answered))
    assert chat.faults() == []


def test_a_second_copy_is_a_double_even_if_it_is_unfinished(chat: Chat) -> None:
    said = chat.says("000001 question")
    chat.replies(whole(said))
    chat.replies(whole(said)[:40])
    assert chat.faults() == ["doubled"]


def test_an_older_text_in_the_end_is_wrong(chat: Chat) -> None:
    said = chat.says("000001 question")
    shown = chat.replies(whole(said))
    chat.rewrites(shown, whole(said)[:40])
    assert chat.faults() == ["wrong"]


def test_what_still_streams_and_what_waits_behind_it_is_unsettled(chat: Chat) -> None:
    said = chat.says("000001 question")
    chat.says("000002 question")
    chat.replies(whole(said)[:40], streaming=True)
    assert chat.faults() == ["unsettled", "unsettled"]


def test_answers_in_another_order_than_the_messages_were_taken_in(chat: Chat) -> None:
    first, second = chat.says("000001 question"), chat.says("000002 question")
    chat.replies(whole(second))
    chat.replies(whole(first))
    assert chat.faults() == ["out of order"]


def test_the_order_of_messages_under_way_at_once_is_nobodys_to_judge(chat: Chat) -> None:
    first, second = chat.says("000001 question"), chat.says("000002 question")
    first.deliveries[0] = replace(first.deliveries[0], took=5.0)
    chat.replies(whole(second))
    chat.replies(whole(first))
    assert chat.faults() == []


def test_a_reply_that_begins_before_the_one_before_is_complete_overlaps(chat: Chat) -> None:
    first, second = chat.says("000001 question"), chat.says("000002 question")
    shown = chat.replies(whole(first)[:30])
    chat.replies(whole(second))
    chat.rewrites(shown, whole(first))
    assert chat.faults() == ["overlapping"]


def test_a_mended_late_edit_does_not_overlap(chat: Chat) -> None:
    first, second = chat.says("000001 question"), chat.says("000002 question")
    shown = chat.replies(whole(first))
    chat.replies(whole(second))
    chat.rewrites(shown, whole(first)[:30])
    chat.rewrites(shown, whole(first))
    assert chat.faults() == []


@pytest.mark.parametrize("so_far", [0, 40])
def test_a_notice_with_the_turns_reference_is_an_outcome(chat: Chat, so_far: int) -> None:
    said = chat.says("000001 question")
    sentence = notice(Reason.EXECUTOR_CRASH, "en", _turn_id(chat.talk, said, TENANT)[:8])
    chat.replies(f"{whole(said)[:so_far]}\n\n{sentence}".strip())
    assert chat.faults() == []
    assert judge(chat.talk, tenant=TENANT).notices == 1


def test_a_notice_behind_a_whole_other_text_is_wrong(chat: Chat) -> None:
    said = chat.says("000001 question")
    sentence = notice(Reason.EXECUTOR_CRASH, "en", _turn_id(chat.talk, said, TENANT)[:8])
    chat.replies(f"something else\n\n{sentence}", to=said.ts)
    assert chat.faults() == ["wrong"]


def changes(*written: tuple[float, float, str, str]) -> dict[tuple[str, str], list[Change]]:
    """(asked at, took effect at, by whom, text) of one message."""
    return {("slack", "1.1"): [Change(at, asked, who, "m", text, False) for asked, at, who, text in written]}


def test_a_write_that_took_effect_after_a_later_one_is_stale_and_repaired_by_a_further_one() -> None:
    written = changes((1, 1, "a", "x"), (3, 3, "b", "xyz"), (2, 4, "a", "xy"), (5, 5, "b", "xyz"))
    assert (stale_writes(written, ()).accepted, stale_writes(written, ()).repaired) == (1, 1)
    assert stale_writes(written, {"1.1"}).repaired == 0
    assert stale_writes(written, ()).owners == []


def test_two_who_write_by_turns_both_own_the_reply() -> None:
    written = changes(
        (1, 1, "a", "x"),
        (2, 2, "b", "x"),
        (3, 3, "a", "xy"),
        (4, 4, "b", "xyz"),
        (5, 5, "a", "x"),
        (6, 6, "b", "x"),
    )
    assert len(stale_writes(written, ()).owners) == 1


def test_who_takes_a_reply_over_may_lose_it_and_get_it_again() -> None:
    written = changes((1, 1, "a", "x"), (20, 20, "b", "x"), (40, 40, "a", "xy"), (60, 60, "b", "xyz"))
    assert stale_writes(written, ()).accepted == 0


def test_a_kill_is_felt_until_the_reply_that_it_cut_off_goes_on() -> None:
    written = changes((1, 1, "a", "x"), (18, 18, "b", "xy"))
    assert felt([(2.0, "a")], written) == [Wait(16.0, disturbed=False)]
    assert felt([(2.0, "a")], written, [10.0]) == [Wait(16.0, disturbed=True)]
    assert felt([(2.0, "a")], written, [2.0, 5.0]) == [Wait(16.0, disturbed=False)]
    assert felt([(2.0, "b"), (12.0, "a")], written) == [], "it was not writing"


def test_a_seed_always_strikes_alike() -> None:
    plan = Plan("redis", 3, 60.0, 7)
    some, again = strikes(plan), strikes(plan)
    assert [next(some) for _ in range(50)] == [next(again) for _ in range(50)]
    assert next(strikes(Plan("redis", 3, 60.0, 8))) != next(strikes(plan))
