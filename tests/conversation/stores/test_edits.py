"""Messages that people change while they wait, and what people think of answers, engine by engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conversation.busy import Limits, WhenBusy
from conversation.messages import InboundMessage
from conversation.stores.events import opinion
from conversation.stores.port import Store, TurnStore
from conversation.turn import Reason
from tests.conversation.made_up import SAID_AT, answered, command, key, message
from tests.conversation.stores.talk import answer, begin, wait
from tests.conversation.stores.test_turns import say


def edited(old: InboundMessage, text: str, after: float = 1.0) -> InboundMessage:
    return replace(old, text=text, edited_at=SAID_AT + after)


async def waiting(store: Store) -> list[list[str]]:
    queue = await store.conversations.queue(key(), 9)
    return [[one.text for one in turn.messages] for turn in queue[1:]]


async def test_a_message_that_waits_is_answered_as_it_was_last_written(store: Store, session: str) -> None:
    claim = await begin(store, session, message("one"))
    for said in ("two", "three"):
        await wait(store, session, message(said))
    assert await store.turns.edit(edited(message("two"), 'zwei\n"2"'))
    assert await waiting(store) == [['zwei\n"2"'], ["three"]]
    following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.turn.message == edited(message("two"), 'zwei\n"2"')
    assert following.turn.id == message("two").turn_id
    kinds = [event.kind for event in await store.events.of_turn(following.turn.id)]
    assert kinds == ["message.admitted", "message.edited", "turn.claimed"]


async def test_of_several_edits_the_newest_counts_in_whatever_order_they_come(
    store: Store, session: str
) -> None:
    await begin(store, session, message("one"))
    await wait(store, session, message("two"))
    assert await store.turns.edit(edited(message("two"), "newest", after=2.0))
    assert not await store.turns.edit(edited(message("two"), "older", after=1.0))
    assert not await store.turns.edit(edited(message("two"), "newest", after=2.0)), "it came once more"
    assert await waiting(store) == [["newest"]]


async def test_what_is_answered_or_was_answered_is_left(store: Store, session: str) -> None:
    await answer(store, session, message("before"))
    assert not await store.turns.edit(edited(message("before"), "else"))
    claim = await begin(store, session, message("one"))
    assert not await store.turns.edit(edited(message("one"), "else"))
    await store.turns.retry(claim, 1.0)
    assert not await store.turns.edit(edited(message("one"), "else")), "it has begun"
    assert [turn.question for turn in await store.conversations.queue(key(), 9)] == ["one"]


async def test_what_was_taken_back_refused_or_is_a_command_is_left(store: Store, session: str) -> None:
    await begin(store, session, message("one"))
    for said in (message("two"), command("clear"), replace(message("/help"), asks="help")):
        await wait(store, session, said)
        if said.text == "two":
            await store.turns.take_back("helpdesk", said.turn_id)
        assert not await store.turns.edit(edited(said, "else"))
    queue = await store.conversations.queue(key(), 9)
    assert [turn.refusal for turn in queue] == [None, Reason.TAKEN_BACK, None, None]
    assert [turn.question for turn in queue] == ["one", "two", "", "/help"]


async def test_one_of_several_merged_messages_is_replaced(
    turns: TurnStore, store: Store, session: str
) -> None:
    await begin(store, session, message("one"))
    for text in ("two", "three", "four"):
        await say(turns, session, message(text), limits=Limits(9), when_busy="merge")
    assert await turns.edit(edited(message("three"), "drei"))
    assert await waiting(store) == [["two", "drei", "four"]]
    assert await turns.take_back("helpdesk", message("three").turn_id) is not None
    assert await waiting(store) == [["two", "four"]]


async def test_an_edit_of_a_message_that_never_came_does_not_keep_it_from_being_answered(
    turns: TurnStore, session: str
) -> None:
    assert not await turns.edit(edited(message("one"), "else"))
    assert (await say(turns, session, message("one"))).status == "accepted"


@pytest.mark.parametrize("when_busy", ["merge", "interrupt"])
async def test_a_question_about_the_bot_shares_its_turn_with_nobody(
    turns: TurnStore, store: Store, session: str, when_busy: WhenBusy
) -> None:
    await begin(store, session, message("one", user="U9"))
    for said in (message("two"), replace(message("/help"), asks="help"), message("three")):
        await say(turns, session, said, limits=Limits(9), when_busy=when_busy)
    assert await waiting(store) == [["two"], ["/help"], ["three"]]


async def test_what_somebody_thought_of_an_answer_stands_behind_its_turn(store: Store, session: str) -> None:
    claim = await answer(store, session, message("one"))
    for kind in ("good", "bad"):
        thought = opinion(kind, claim.turn.id, message("one").person)
        assert await store.events.note("turn.feedback", key(), claim.turn.id, thought)
    happened = await store.events.of_turn(claim.turn.id)
    assert [event.kind for event in happened][-3:] == ["turn.completed", "turn.feedback", "turn.feedback"]
    assert [event.detail.partition(":")[0] for event in happened[-2:]] == ["good", "bad"]
    assert happened[-1].key == key()
    assert message("one").person not in happened[-1].detail


async def test_of_a_conversation_that_is_not_known_nothing_is_noted(store: Store) -> None:
    assert not await store.events.note("turn.feedback", key("C9"), "a" * 24, "good:1")
    assert await store.events.after(0, 9) == ()
