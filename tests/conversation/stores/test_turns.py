"""What the turn store promises, engine by engine."""

from __future__ import annotations

import pytest

from conversation.busy import Limits, WhenBusy
from conversation.messages import InboundMessage
from conversation.outbound import SEND_TIMEOUT
from conversation.providers.port import Entry
from conversation.stores.port import (
    LEASE,
    SEEN_FOR,
    Admission,
    ClaimLostError,
    SessionLostError,
    Store,
    TurnStore,
)
from conversation.turn import Claim, Delivery, Final, Outcome, Part, Reason
from tests.conversation.made_up import ManualClock, answered, key, message


async def admit(
    turns: TurnStore, session: str, text: str, *, chat: str = "C1", may_claim: bool = True, most: int = 20
) -> Admission:
    return await say(turns, session, message(text, chat=chat), may_claim=may_claim, limits=Limits(most))


async def say(
    turns: TurnStore,
    session: str,
    said: InboundMessage,
    *,
    may_claim: bool = True,
    limits: Limits | None = None,
    when_busy: WhenBusy = "queue",
) -> Admission:
    return await turns.admit(
        said, session=session, may_claim=may_claim, limits=limits or Limits(), when_busy=when_busy
    )


async def claimed(turns: TurnStore, session: str, text: str, *, chat: str = "C1") -> Claim:
    admission = await admit(turns, session, text, chat=chat)
    assert admission.claim is not None
    return admission.claim


async def test_an_idle_conversation_is_claimed_with_its_first_message(turns: TurnStore, session: str) -> None:
    claim = await claimed(turns, session, "hello")
    assert claim.key == key()
    assert claim.turn.message == message("hello")
    assert (claim.turn.attempt, claim.turn.crashes, claim.last_send_at) == (1, 0, None)


async def test_messages_of_one_conversation_run_one_at_a_time_in_order(
    turns: TurnStore, session: str
) -> None:
    claim: Claim | None = await claimed(turns, session, "one")
    for text in ("two", "three"):
        assert (await admit(turns, session, text)).claim is None
    answers = []
    while claim is not None:
        assert await turns.claim(session, 10) == ()
        answers.append(claim.turn.message.text)
        claim = await turns.complete(claim, answered("ok"), keep_turns=100)
    assert answers == ["one", "two", "three"]


async def test_conversations_run_beside_each_other(turns: TurnStore, session: str) -> None:
    claims = [await claimed(turns, session, "hi", chat=chat) for chat in ("C1", "C2", "C3")]
    assert [claim.key for claim in claims] == [key("C1"), key("C2"), key("C3")]


async def test_a_redelivered_message_is_a_duplicate_while_queued_running_and_done(
    turns: TurnStore, session: str
) -> None:
    claim = await claimed(turns, session, "hello")
    assert (await admit(turns, session, "hello")).status == "duplicate"
    await turns.complete(claim, answered("ok"), keep_turns=100)
    assert (await admit(turns, session, "hello")).status == "duplicate"


async def test_a_message_is_recognised_for_24_hours(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    await turns.complete(await claimed(turns, session, "hello"), answered("ok"), keep_turns=100)
    clock.advance(SEEN_FOR - 1)
    assert (await admit(turns, session, "hello")).status == "duplicate"
    clock.advance(1)
    assert (await admit(turns, session, "hello")).status == "accepted"


async def test_the_same_platform_id_at_two_bots_is_two_messages(turns: TurnStore, session: str) -> None:
    for bot in ("helpdesk", "other"):
        admission = await turns.admit(
            message("hi", identity="om_1", bot=bot), session=session, may_claim=True, limits=Limits(20)
        )
        assert admission.status == "accepted"


async def test_a_full_queue_refuses_and_asks_for_one_notice_until_there_is_room(
    turns: TurnStore, session: str
) -> None:
    claim = await claimed(turns, session, "running")
    for number in range(2):
        assert (await admit(turns, session, f"waiting {number}", most=2)).status == "accepted"
    refused = [await admit(turns, session, f"too many {number}", most=2) for number in range(3)]
    assert [(one.status, one.notice_due) for one in refused] == [
        ("queue_full", True),
        ("queue_full", False),
        ("queue_full", False),
    ]
    await turns.complete(claim, answered("ok"), keep_turns=100)
    assert (await admit(turns, session, "room again", most=2)).status == "accepted"
    assert await admit(turns, session, "full again", most=2) == Admission("queue_full", notice_due=True)


async def test_with_no_room_to_wait_a_busy_conversation_refuses(turns: TurnStore, session: str) -> None:
    assert (await admit(turns, session, "one", most=0)).claim is not None
    assert (await admit(turns, session, "two", most=0)).status == "queue_full"


async def test_a_refusal_is_queued_like_any_other_turn(turns: TurnStore, session: str) -> None:
    admission = await turns.admit(
        message("old"), session=session, may_claim=True, limits=Limits(20), refusal=Reason.STALE
    )
    assert admission.claim is not None
    assert admission.claim.turn.refusal is Reason.STALE


async def test_without_a_free_slot_the_conversation_waits_and_the_longest_waiting_comes_first(
    turns: TurnStore, session: str
) -> None:
    for chat in ("C1", "C2", "C3"):
        assert (await admit(turns, session, "hi", chat=chat, may_claim=False)).claim is None
    assert [claim.key for claim in await turns.claim(session, 2)] == [key("C1"), key("C2")]
    assert [claim.key for claim in await turns.claim(session, 2)] == [key("C3")]


async def test_a_freed_slot_goes_to_who_waits_longest_not_to_the_long_queue_next_door(
    turns: TurnStore, session: str
) -> None:
    claim = await claimed(turns, session, "one")
    await admit(turns, session, "two")
    await admit(turns, session, "hi", chat="C2", may_claim=False)
    following = await turns.complete(claim, answered("ok"), keep_turns=100)
    assert following is not None
    assert following.key == key("C2")
    last = await turns.complete(following, answered("ok"), keep_turns=100)
    assert last is not None
    assert last.turn.message.text == "two"


async def test_completing_twice_changes_nothing(turns: TurnStore, store: Store, session: str) -> None:
    claim = await claimed(turns, session, "one")
    await admit(turns, session, "two")
    following = await turns.complete(claim, answered("ok"), keep_turns=100)
    assert await turns.complete(claim, answered("ok"), keep_turns=100) is None
    assert following is not None
    assert following.turn.message.text == "two"
    assert await store.transcripts.recent(key(), 10) == (Entry("user", "one"), Entry("assistant", "ok"))


async def test_a_lost_claim_can_change_nothing(turns: TurnStore, session: str) -> None:
    claim = await claimed(turns, session, "hello")
    heir = await turns.open_session()
    await turns.take_over(heir)
    (newer,) = await turns.claim(heir, 1)
    assert newer.epoch > claim.epoch
    for attempt in (
        turns.checkpoint(claim, Delivery()),
        turns.complete(claim, answered("late"), keep_turns=100),
        turns.retry(claim, 1.0),
    ):
        with pytest.raises(ClaimLostError):
            await attempt
    assert await turns.complete(newer, answered("ok"), keep_turns=100) is None


async def test_a_checkpoint_is_there_after_the_process_died(turns: TurnStore, session: str) -> None:
    claim = await claimed(turns, session, "hello")
    delivery = Delivery((Part(0, '{"ts":"1.2"}'),), Final(("a", "b"), "ab", Outcome("answered")))
    await turns.checkpoint(claim, delivery)
    heir = await turns.open_session()
    assert await turns.take_over(heir) == 1
    (taken,) = await turns.claim(heir, 1)
    assert taken.turn.delivery == delivery


async def test_a_dead_process_loses_its_turns_to_the_next_and_the_crash_is_counted(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    await admit(turns, session, "next")
    clock.advance(LEASE)
    heir = await turns.open_session()
    assert await turns.tick(100)
    (taken,) = await turns.claim(heir, 5)
    assert (taken.turn.id, taken.turn.attempt, taken.turn.crashes) == (claim.turn.id, 2, 1)
    assert taken.last_send_at == clock.now() - SEND_TIMEOUT, "no call is begun that the lease cannot outlast"
    with pytest.raises(ClaimLostError):
        await turns.complete(claim, answered("late"), keep_turns=100)


async def test_a_crash_counts_for_the_turn_that_ran_and_for_no_other(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    await claimed(turns, session, "hello")
    await admit(turns, session, "next")
    heir = await turns.open_session()
    await turns.take_over(heir)
    (taken,) = await turns.claim(heir, 5)
    following = await turns.complete(taken, answered("ok"), keep_turns=100)
    assert following is not None
    assert (following.turn.message.text, following.turn.crashes) == ("next", 0)
    assert following.last_send_at is None


async def test_a_turn_that_its_heir_put_back_was_not_taken_over_again(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    await claimed(turns, session, "hello")
    heir = await turns.open_session()
    await turns.take_over(heir)
    (taken,) = await turns.claim(heir, 5)
    await turns.retry(taken, 1.0)
    clock.advance(1.0)
    await turns.tick(100)
    (again,) = await turns.claim(heir, 5)
    assert (again.last_send_at, again.turn.crashes, again.turn.failures) == (None, 1, 1)


async def test_a_session_that_renews_keeps_its_claims(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    for _ in range(4):
        clock.advance(LEASE / 3)
        assert await turns.renew(session, (claim,)) == ()
        assert not await turns.tick(100)
    await turns.complete(claim, answered("ok"), keep_turns=100)


async def test_an_expired_session_that_nobody_reaped_may_renew_but_not_claim_before(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    clock.advance(LEASE + 1)
    assert (await admit(turns, session, "hi", chat="C2")).claim is None
    with pytest.raises(SessionLostError):
        await turns.claim(session, 1)
    await turns.renew(session, (claim,))
    assert len(await turns.claim(session, 1)) == 1


async def test_a_reaped_session_cannot_come_back(turns: TurnStore, session: str, clock: ManualClock) -> None:
    claim = await claimed(turns, session, "hello")
    clock.advance(LEASE)
    await turns.tick(100)
    with pytest.raises(SessionLostError):
        await turns.renew(session, (claim,))
    with pytest.raises(SessionLostError):
        await turns.claim(session, 1)
    with pytest.raises(SessionLostError):
        await turns.take_over(session)


async def test_a_claim_whose_answer_was_lost_is_found_by_renewing(turns: TurnStore, session: str) -> None:
    claim = await claimed(turns, session, "hello")
    assert await turns.renew(session, ()) == (claim,)
    assert await turns.renew(session, (claim,)) == ()


async def test_a_draining_session_keeps_what_it_has_and_gets_nothing_new(
    turns: TurnStore, session: str
) -> None:
    claim = await claimed(turns, session, "one")
    await turns.drain(session)
    assert (await admit(turns, session, "two")).status == "accepted"
    assert (await admit(turns, session, "hi", chat="C2")).claim is None
    assert await turns.claim(session, 5) == ()
    assert await turns.complete(claim, answered("ok"), keep_turns=100) is None
    other = await turns.open_session()
    assert len(await turns.claim(other, 5)) == 2


async def test_closing_a_session_puts_its_turns_back_without_counting_a_crash(
    turns: TurnStore, session: str
) -> None:
    await claimed(turns, session, "hello")
    await turns.close_session(session)
    await turns.close_session(session)
    other = await turns.open_session()
    (claim,) = await turns.claim(other, 1)
    assert (claim.turn.attempt, claim.turn.crashes) == (2, 0)
    assert claim.last_send_at is not None, "a send may have been under way"


async def test_a_turn_put_back_is_ready_after_its_delay_and_keeps_its_place(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "one")
    await admit(turns, session, "two")
    await turns.retry(claim, 5.0)
    assert not await turns.tick(100)
    assert await turns.claim(session, 1) == ()
    clock.advance(5.0)
    assert await turns.tick(100)
    (again,) = await turns.claim(session, 1)
    assert (again.turn.message.text, again.turn.failures, again.turn.crashes) == ("one", 1, 0)


async def test_the_transcript_keeps_the_newest_answered_turns(
    turns: TurnStore, store: Store, session: str
) -> None:
    """What was refused, or made the model fail, is not shown to the model again."""
    for number in range(5):
        claim = await claimed(turns, session, f"question {number}")
        final = answered(f"answer {number}") if number != 3 else Final(("sorry",), "", Outcome("failed"))
        await turns.complete(claim, final, keep_turns=3)
    assert await store.transcripts.recent(key(), 100) == (
        Entry("user", "question 1"),
        Entry("assistant", "answer 1"),
        Entry("user", "question 2"),
        Entry("assistant", "answer 2"),
        Entry("user", "question 4"),
        Entry("assistant", "answer 4"),
    )
    assert await store.transcripts.recent(key(), 1) == (
        Entry("user", "question 4"),
        Entry("assistant", "answer 4"),
    )
    assert await store.transcripts.recent(key("C2"), 100) == ()


async def test_a_turn_that_could_not_be_answered_becomes_a_dead_letter(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    await turns.complete(claim, Final((), "", Outcome("dead", Reason.DELIVERY_FAILED)), keep_turns=100)
    (letter,) = await turns.dead_letters()
    assert (letter.id, letter.key, letter.messages) == (claim.turn.id, key(), (message("hello"),))
    assert (letter.reason, letter.at) == (Reason.DELIVERY_FAILED, clock.now())
    assert await turns.drop_dead_letter(letter.id)
    assert not await turns.drop_dead_letter(letter.id)
    assert await turns.dead_letters() == ()


async def test_the_event_log_tells_a_turn_in_order_and_resumes(
    turns: TurnStore, store: Store, session: str
) -> None:
    claim = await claimed(turns, session, "hello")
    await admit(turns, session, "again", most=0)
    await turns.complete(claim, Final((), "", Outcome("failed", Reason.MODEL_ERROR)), keep_turns=100)
    events = await store.events.after(0, 100)
    assert [(event.kind, event.detail) for event in events] == [
        ("message.admitted", ""),
        ("turn.claimed", ""),
        ("message.refused", "queue_full"),
        ("turn.completed", "model_error"),
    ]
    assert {event.key for event in events} == {key()}
    assert events[0].turn_id == claim.turn.id
    assert await store.events.after(events[1].position, 1) == (events[2],)
