"""What nobody asked to forget is forgotten by age, engine by engine."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.stores.port import Store
from conversation.stores.retention import DAY, Retention
from tests.conversation.made_up import DEAD, ManualClock, answered, command, key, message
from tests.conversation.stores.talk import answer, begin, later, wait

KEPT = Retention()


async def questions(store: Store, chat: str = "C1") -> list[str]:
    return [said.question for said in await store.transcripts.said(key(chat), 99)]


async def test_single_turns_of_an_active_conversation_are_forgotten_at_their_age(
    store: Store, session: str, clock: ManualClock
) -> None:
    for day in range(40):
        await answer(store, session, message(f"day {day}"))
        await later(store, session, clock, DAY)
        await store.turns.tick(100)
        oldest = max(0, day + 2 - 30)  # what is 30 days old is gone
        assert await questions(store) == [f"day {past}" for past in range(oldest, day + 1)], day
    await later(store, session, clock, KEPT.transcripts - DAY - 1)
    await store.turns.tick(100)
    assert await questions(store) == ["day 39"]
    await later(store, session, clock, 1)
    await store.turns.tick(100)
    assert await questions(store) == []
    await store.turns.tick(100)
    await answer(store, session, message("again"))
    assert await questions(store) == ["again"]


async def test_only_tick_forgets_and_a_share_at_a_time(
    store: Store, session: str, clock: ManualClock
) -> None:
    for number in range(3):
        await answer(store, session, message(f"{number}"))
        await answer(store, session, message(f"dead {number}"), DEAD)
    await later(store, session, clock, KEPT.transcripts)
    assert len(await questions(store)) == len(await store.turns.dead_letters()) == 3
    for left in (1, 0, 0):
        await store.turns.tick(2)
        assert len(await questions(store)) == len(await store.turns.dead_letters()) == left


async def test_letters_are_forgotten_like_transcripts(store: Store, session: str, clock: ManualClock) -> None:
    await answer(store, session, message("one"), DEAD)
    await later(store, session, clock, DAY)
    await answer(store, session, message("two"), DEAD)
    await later(store, session, clock, KEPT.transcripts - DAY)
    await store.turns.tick(100)
    assert [letter.messages[0].text for letter in await store.turns.dead_letters()] == ["two"]


async def test_events_are_forgotten_after_a_week_and_positions_go_on(
    store: Store, session: str, clock: ManualClock
) -> None:
    await answer(store, session, message("one"))
    await later(store, session, clock, DAY)
    await answer(store, session, message("two"))
    position = await store.events.end()
    await later(store, session, clock, KEPT.events - DAY)
    for kinds in (4, 3, 3):  # of six, two at a time
        await store.turns.tick(2)
        assert len(await store.events.after(0, 99)) == kinds
    assert {event.turn_id for event in await store.events.of_conversation(key(), 99)} == {
        message("two").turn_id
    }
    assert await store.events.of_turn(message("one").turn_id) == ()
    await later(store, session, clock, DAY)
    for _ in range(2):
        await store.turns.tick(2)
    assert await store.events.after(0, 99) == ()
    await answer(store, session, message("three"))
    told = await store.events.after(position, 99)
    assert [event.kind for event in told] == ["message.admitted", "turn.claimed", "turn.completed"]
    assert told[0].position > position
    assert await store.events.end() == told[-1].position


async def test_a_turn_whose_beginning_is_forgotten_is_not_told_any_more(
    store: Store, session: str, clock: ManualClock
) -> None:
    claim = await begin(store, session, message("one"))
    await later(store, session, clock, DAY)
    await store.turns.complete(claim, answered("ok"), keep_turns=9)
    await later(store, session, clock, KEPT.events - DAY - 1)
    await store.turns.tick(100)
    assert len(await store.events.of_turn(claim.turn.id)) == 3
    await later(store, session, clock, 1)
    await store.turns.tick(100)
    assert await store.events.of_turn(claim.turn.id) == ()
    assert [event.kind for event in await store.events.of_conversation(key(), 9)] == ["turn.completed"]


async def test_what_a_person_said_is_not_found_any_more_once_it_is_forgotten(
    store: Store, session: str, clock: ManualClock
) -> None:
    person = message().person
    for chat in ("C1", "C2"):
        await answer(store, session, message("one", chat=chat))
    await later(store, session, clock, DAY)
    await answer(store, session, message("two"))
    await answer(store, session, message("ben", user="U2"))
    await answer(store, session, message("two", chat="C2"))
    await answer(store, session, command("clear", chat="C2"))
    await later(store, session, clock, KEPT.transcripts - DAY)
    await store.turns.tick(100)
    kept = await store.privacy.kept(person, "helpdesk")
    assert [(where, said.question) for where, said in kept.said] == [(key("C1"), "two")]
    await later(store, session, clock, DAY)
    await store.turns.tick(100)
    assert (await store.privacy.kept(person, "helpdesk")).said == ()


async def test_what_waits_or_runs_is_never_forgotten(store: Store, session: str, clock: ManualClock) -> None:
    running = await begin(store, session, message("one"))
    await wait(store, session, message("two"))
    await wait(store, session, message("hi", chat="C2"))
    for _ in range(9):
        await later(store, session, clock, 100 * DAY)
        await store.turns.tick(100)
    following = await store.turns.complete(running, answered("ok"), keep_turns=9)
    assert following is not None
    assert {following.key, *(claim.key for claim in await store.turns.claim(session, 9))} == {
        key(),
        key("C2"),
    }


async def test_an_idle_conversation_begins_afresh_after_long(
    store: Store, session: str, clock: ManualClock
) -> None:
    """Its key may be forgotten, and a claim is valid all the same."""
    for _ in range(3):
        claim = await begin(store, session, message("one"))
        await store.turns.complete(claim, answered("ok"), keep_turns=9)
        assert await questions(store) == ["one"]
        await later(store, session, clock, 31 * DAY)
        for _ in range(5):
            await store.turns.tick(100)
    admission = await store.turns.admit(message("two"), session=session, may_claim=True, limits=Limits())
    assert admission.claim is not None
    assert admission.claim.turn.attempt == 1
