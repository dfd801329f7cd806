"""One person's data: shown whole, and erased without a trace on others', engine by engine."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.providers.port import Entry
from conversation.stores.port import Store
from conversation.stores.privacy import Erased, Kept
from tests.conversation.made_up import DEAD, ManualClock, answered, key, message
from tests.conversation.stores.talk import answer, begin, wait

ANNA, BEN = message(user="U1").person, message(user="U2").person


async def talked(store: Store, session: str, clock: ManualClock) -> None:
    """Anna (U1) and Ben (U2) in two chats with one bot, and Anna with another."""
    for chat, user, text in (
        ("C1", "U1", "anna 1"),
        ("C1", "U2", "ben 1"),
        ("C2", "U1", "anna 2"),
        ("C1", "U1", "anna 3"),
        ("C1", "U2", "ben 2"),
    ):
        clock.advance(1.0)
        await answer(store, session, message(text, chat=chat, user=user))
    await answer(store, session, message("anna dies", chat="C2", user="U1"), DEAD)
    await answer(store, session, message("ben dies", chat="C2", user="U2"), DEAD)
    await answer(store, session, message("anna elsewhere", user="U1", bot="desk-21"))
    await answer(store, session, message("anna dies elsewhere", user="U1", bot="desk-21"), DEAD)


async def questions(store: Store, chat: str = "C1") -> list[str]:
    return [said.question for said in await store.transcripts.said(key(chat), 99)]


async def test_all_that_is_kept_of_a_person_is_shown_in_its_order(
    store: Store, session: str, clock: ManualClock
) -> None:
    await talked(store, session, clock)
    kept = await store.privacy.kept(ANNA, "helpdesk")
    assert [(where, said.question) for where, said in kept.said] == [
        (key("C1"), "anna 1"),
        (key("C2"), "anna 2"),
        (key("C1"), "anna 3"),
    ]
    assert {said.person for _, said in kept.said} == {ANNA}
    assert [letter.messages[0].text for letter in kept.letters] == ["anna dies"]
    assert kept.waiting == 0
    assert await store.privacy.kept(ANNA, "desk-21") == Kept((), (), 0), "there she is somebody else"
    assert await store.privacy.kept("nobody", "nobody") == Kept((), (), 0)


async def test_what_waits_is_counted_message_by_message_and_shown_later(
    store: Store, session: str, clock: ManualClock
) -> None:
    running = await begin(store, session, message("one"))
    for text in ("two", "three"):
        await store.turns.admit(
            message(text), session=session, may_claim=False, limits=Limits(), when_busy="merge"
        )
    await wait(store, session, message("ben", user="U2"))
    await wait(store, session, message("four", chat="C2"))
    await wait(store, session, message("elsewhere", bot="desk-21"))
    assert await store.privacy.kept(ANNA, "helpdesk") == Kept((), (), 4)
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(0, 0, 4)
    await store.turns.complete(running, answered("ok"), keep_turns=9)
    kept = await store.privacy.kept(ANNA, "helpdesk")
    assert ([said.question for _, said in kept.said], kept.waiting) == (["one"], 3)


async def test_erasing_takes_questions_answers_and_letters_of_that_person_alone(
    store: Store, session: str, clock: ManualClock
) -> None:
    await talked(store, session, clock)
    other = await store.privacy.kept(BEN, "helpdesk")
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(said=3, letters=1, waiting=0)
    assert await store.privacy.kept(ANNA, "helpdesk") == Kept((), (), 0)
    assert await store.privacy.kept(BEN, "helpdesk") == other
    assert (await questions(store), await questions(store, "C2")) == (["ben 1", "ben 2"], [])
    assert [letter.messages[0].text for letter in await store.turns.dead_letters()] == [
        "ben dies",
        "anna dies elsewhere",
    ]
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(0, 0, 0), "repeating it is harmless"
    assert await store.transcripts.recent(key(), 1) == (Entry("user", "ben 2"), Entry("assistant", "ok"))


async def test_after_an_erasure_the_order_goes_on_and_as_many_turns_are_kept_as_before(
    store: Store, session: str, clock: ManualClock
) -> None:
    for number in range(6):
        user = "U1" if number in {1, 2, 4} else "U2"
        await answer(store, session, message(f"{number}", user=user), keep_turns=5)
    await store.privacy.erase(ANNA, "helpdesk")
    assert await questions(store) == ["3", "5"]
    for number in range(6, 9):
        await answer(store, session, message(f"{number}"), keep_turns=5)
    assert await questions(store) == ["3", "5", "6", "7", "8"]
    await answer(store, session, message("9"), keep_turns=5)
    assert await questions(store) == ["5", "6", "7", "8", "9"]
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(4, 0, 0)
    assert await questions(store) == ["5"]


async def test_a_person_with_many_conversations_is_found_in_all(store: Store, session: str) -> None:
    for number in range(120):
        await answer(store, session, message("hi", chat=f"C{number}"))
    assert len((await store.privacy.kept(ANNA, "helpdesk")).said) == 120
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(120, 0, 0)


async def test_what_left_the_transcript_is_not_kept_of_anybody(store: Store, session: str) -> None:
    for number in range(4):
        await answer(store, session, message(f"{number}"), keep_turns=2)
    await answer(store, session, message("ben", user="U2"), keep_turns=2)
    kept = await store.privacy.kept(ANNA, "helpdesk")
    assert [said.question for _, said in kept.said] == ["3"]
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(1, 0, 0)


async def test_a_letter_without_texts_is_erased_with_the_person(store: Store, session: str) -> None:
    await answer(store, session, message("one"), DEAD, keep_texts=False)
    assert await store.privacy.erase(ANNA, "helpdesk") == Erased(0, 1, 0)
    assert await store.turns.dead_letters() == ()
