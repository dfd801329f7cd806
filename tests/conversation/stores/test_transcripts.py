"""What is kept of what was said, engine by engine."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.stores.port import Store
from conversation.stores.transcripts import Said
from conversation.turn import Delivery, Final, Outcome, Part, Reason
from tests.conversation.made_up import DEAD, ManualClock, answered, key, message
from tests.conversation.stores.talk import answer, begin


async def test_who_asked_what_and_had_the_answer_when_is_kept_with_each_turn(
    store: Store, session: str, clock: ManualClock
) -> None:
    expected = []
    for number, user in enumerate(("U1", "U2", "U1")):
        claim = await begin(store, session, message(f"question\n{number}", user=user))
        clock.advance(1.5)
        await store.turns.complete(claim, answered(f"answer {number} 你好"), keep_turns=9)
        expected.append(
            Said(
                claim.turn.id,
                claim.turn.message.person,
                clock.now(),
                f"question\n{number}",
                f"answer {number} 你好",
            )
        )
    assert await store.transcripts.said(key(), 9) == tuple(expected)
    assert await store.transcripts.said(key(), 2) == tuple(expected[1:])
    assert await store.transcripts.said(key("C2"), 9) == ()


async def test_merged_messages_are_one_question(store: Store, session: str) -> None:
    claim = await begin(store, session, message("one"))
    for text in ("two", "three"):
        await store.turns.admit(
            message(text), session=session, may_claim=False, limits=Limits(), when_busy="merge"
        )
    following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
    assert following is not None
    await store.turns.complete(following, answered("ok"), keep_turns=9)
    (_, said) = await store.transcripts.said(key(), 9)
    assert (said.turn_id, said.question) == (message("two").turn_id, "two\n\nthree")


async def test_a_smaller_number_of_kept_turns_takes_effect_with_the_next_answer(
    store: Store, session: str
) -> None:
    for number in range(6):
        await answer(store, session, message(f"{number}"), keep_turns=9)
    await answer(store, session, message("6"), keep_turns=2)
    assert [said.question for said in await store.transcripts.said(key(), 9)] == ["5", "6"]


async def test_without_texts_nothing_of_an_answered_turn_is_kept(store: Store, session: str) -> None:
    await answer(store, session, message("one"))
    await answer(store, session, message("two"), keep_texts=False)
    assert [said.question for said in await store.transcripts.said(key(), 9)] == ["one"]
    assert (await store.events.of_turn(message("two").turn_id))[-1].detail == "answered"


async def test_without_texts_a_dead_letter_tells_why_and_not_what(
    store: Store, session: str, clock: ManualClock
) -> None:
    claim = await answer(store, session, message("one"), DEAD, keep_texts=False)
    (letter,) = await store.turns.dead_letters()
    assert letter.messages == ()
    assert (letter.id, letter.key, letter.reason) == (claim.turn.id, key(), Reason.DELIVERY_FAILED)
    assert (letter.person, letter.at) == (message("one").person, clock.now())
    assert await store.turns.drop_dead_letter(letter.id)


async def test_a_stopped_reply_is_kept_as_far_as_it_was_seen(store: Store, session: str) -> None:
    claim = await begin(store, session, message("one"))
    await store.turns.checkpoint(claim, Delivery((Part(0, "ref"),)))
    cut = Final(("so far, stopped",), "so far", Outcome("cancelled", Reason.CANCELLED))
    await store.turns.complete(claim, cut, keep_turns=9)
    assert [said.answer for said in await store.transcripts.said(key(), 9)] == ["so far"]
