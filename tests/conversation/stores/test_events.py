"""The event log as it is read, engine by engine."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.stores.port import Store
from conversation.turn import Reason
from tests.conversation.made_up import ManualClock, answered, key, message
from tests.conversation.stores.talk import answer, begin, wait


async def test_whoever_begins_at_the_end_hears_what_happens_from_then_on(store: Store, session: str) -> None:
    assert await store.events.end() == 0
    claim = await begin(store, session, message("one"))
    position = await store.events.end()
    assert position == (await store.events.after(0, 99))[-1].position
    assert await store.events.after(position, 99) == ()
    await store.turns.complete(claim, answered("ok"), keep_turns=9)
    await answer(store, session, message("hi", chat="C2", bot="lunch"))  # in another partition
    told = await store.events.after(position, 99)
    assert {(event.kind, event.key.bot) for event in told} == {
        ("turn.completed", "helpdesk"),
        ("message.admitted", "lunch"),
        ("turn.claimed", "lunch"),
        ("turn.completed", "lunch"),
    }
    assert await store.events.after(await store.events.end(), 99) == ()


async def test_all_that_happened_to_a_turn_is_found_by_the_beginning_of_its_id(
    store: Store, session: str, clock: ManualClock
) -> None:
    claim = await begin(store, session, message("one"))
    await wait(store, session, message("two"))
    clock.advance(1.0)
    await store.turns.retry(claim, 1.0)
    clock.advance(1.0)
    await store.turns.tick(100)
    (again,) = await store.turns.claim(session, 1)
    await store.turns.complete(again, answered("ok"), keep_turns=9)
    await answer(store, session, message("one", bot="lunch"))
    whole = await store.events.of_turn(claim.turn.id)
    assert [event.kind for event in whole] == [
        "message.admitted",
        "turn.claimed",
        "turn.retried",
        "turn.claimed",
        "turn.completed",
    ]
    assert {event.turn_id for event in whole} == {claim.turn.id}
    assert [event.at for event in whole] == sorted(event.at for event in whole)
    assert await store.events.of_turn(claim.turn.reference) == whole
    assert await store.events.of_turn("0" * 8) == ()


async def test_a_merged_message_tells_into_which_turn(store: Store, session: str) -> None:
    await begin(store, session, message("running"))
    for text in ("first", "second"):
        await store.turns.admit(
            message(text), session=session, may_claim=False, limits=Limits(), when_busy="merge"
        )
    (merged,) = await store.events.of_turn(message("second").turn_id)
    assert (merged.kind, merged.detail) == ("message.merged", message("first").turn_id)


async def test_the_newest_events_of_a_conversation_are_found_among_all(store: Store, session: str) -> None:
    for number in range(3):
        await answer(store, session, message(f"{number}"))
        await answer(store, session, message(f"{number}", chat="C2"))
    await store.turns.admit(
        message("old"), session=session, may_claim=False, limits=Limits(), refusal=Reason.STALE
    )
    every = await store.events.of_conversation(key(), 99)
    assert [event.kind for event in every] == [
        *("message.admitted", "turn.claimed", "turn.completed") * 3,
        "message.admitted",
    ]
    assert {event.key for event in every} == {key()}
    assert await store.events.of_conversation(key(), 2) == every[-2:]
    assert await store.events.of_conversation(key("C3"), 2) == ()
    assert await store.events.of_conversation(key(bot="nobody"), 2) == ()
