"""What is seen of conversations by those who look at them, engine by engine."""

from __future__ import annotations

import pytest

from conversation.busy import Limits, WhenBusy
from conversation.stores.conversations import LISTED_FOR, ConversationState, Load, Queue
from conversation.stores.port import Store
from conversation.turn import Delivery, Part, Reason
from tests.conversation.made_up import ManualClock, answered, command, key, message
from tests.conversation.stores.talk import answer, begin, later, wait


async def found(store: Store, chat: str = "C1") -> ConversationState:
    state = await store.conversations.find(key(chat))
    assert state is not None
    return state


async def test_a_conversation_is_seen_running_waiting_backing_off_and_idle(
    store: Store, session: str, clock: ManualClock
) -> None:
    claim = await begin(store, session, message("one"))
    await wait(store, session, message("two"))
    running = ConversationState(key(), "running", 2, clock.now(), "", session)
    assert await found(store) == running
    clock.advance(1.0)
    await store.turns.retry(claim, 5.0)
    assert await found(store) == ConversationState(key(), "backing_off", 2, running.active_at)
    clock.advance(5.0)
    await store.turns.tick(100)
    assert (await found(store)).state == "ready"
    (again,) = await store.turns.claim(session, 1)
    following = await store.turns.complete(again, answered("ok"), keep_turns=9)
    assert following is not None
    assert (await found(store)).turns == 1
    await store.turns.complete(following, answered("ok"), keep_turns=9)
    assert await found(store) == ConversationState(key(), "idle", 0, running.active_at)


async def test_where_nothing_was_ever_said_there_is_no_conversation(store: Store, session: str) -> None:
    assert await store.conversations.find(key()) is None
    await store.turns.take_back("helpdesk", message("one").turn_id)
    refused = await store.turns.admit(message("one"), session=session, may_claim=True, limits=Limits())
    assert refused.status == "duplicate", "it was taken back before it arrived"
    assert await store.conversations.find(key()) is None
    assert await store.conversations.page("helpdesk", limit=9) == ()
    assert await store.conversations.queue(key(), 9) == ()
    assert await store.conversations.load("helpdesk") == Load(0, 0)


async def test_conversations_of_a_bot_are_paged_the_newest_activity_first(
    store: Store, session: str, clock: ManualClock
) -> None:
    chats = [f"C{number}" for number in range(7)]
    for number, chat in enumerate(chats):
        if number % 3 == 0:  # the others happen at the same moment
            clock.advance(1.0)
        await answer(store, session, message("hi", chat=chat))
        await answer(store, session, message("hi", chat=chat, bot="desk-21"))
    states = [await found(store, chat) for chat in chats]
    expected = sorted(states, key=lambda state: (state.active_at, str(state.key)), reverse=True)
    for size in (1, 2, 3, 7, 9):
        seen: list[ConversationState] = []
        while page := await store.conversations.page(
            "helpdesk", before=(seen[-1].active_at, str(seen[-1].key)) if seen else None, limit=size
        ):
            assert len(page) <= size
            seen += page
        assert seen == expected, size


@pytest.mark.parametrize("when_busy", ["queue", "merge"])
async def test_every_message_that_is_accepted_is_activity(
    store: Store, session: str, clock: ManualClock, when_busy: WhenBusy
) -> None:
    for number in range(3):
        clock.advance(1.0)
        await store.turns.admit(
            message(f"{number}"), session=session, may_claim=True, limits=Limits(2), when_busy=when_busy
        )
        assert (await found(store)).active_at == clock.now()


async def test_what_is_not_accepted_is_no_activity(store: Store, session: str, clock: ManualClock) -> None:
    await wait(store, session, message("one"))
    said_at = clock.now()
    clock.advance(1.0)
    for again, status in (("one", "duplicate"), ("two", "queue_full")):
        admission = await store.turns.admit(message(again), session=session, may_claim=True, limits=Limits(0))
        assert admission.status == status
        assert (await found(store)).active_at == said_at


async def test_a_conversation_is_listed_for_30_days_and_again_when_it_goes_on(
    store: Store, session: str, clock: ManualClock
) -> None:
    await answer(store, session, message("one"))
    await later(store, session, clock, LISTED_FOR - 1)
    assert len(await store.conversations.page("helpdesk", limit=9)) == 1
    await answer(store, session, message("hi", chat="C2"))
    await later(store, session, clock, 1)
    for _ in range(2):
        assert [state.key for state in await store.conversations.page("helpdesk", limit=9)] == [key("C2")]
        assert await store.conversations.find(key()) is None
        await store.turns.tick(100)
    await answer(store, session, message("two"))
    assert [state.key for state in await store.conversations.page("helpdesk", limit=9)] == [key(), key("C2")]
    await later(store, session, clock, LISTED_FOR)
    await store.turns.tick(100)
    assert await store.conversations.page("helpdesk", limit=9) == ()


async def test_a_queue_is_seen_with_the_progress_of_its_head(
    store: Store, session: str, clock: ManualClock
) -> None:
    claim = await begin(store, session, message("one"))
    delivery = Delivery((Part(0, "ref"),))
    await store.turns.checkpoint(claim, delivery)
    clock.advance(1.0)
    await store.turns.admit(
        message("old"), session=session, may_claim=False, limits=Limits(), refusal=Reason.STALE
    )
    await wait(store, session, command("clear"))
    head, refused, last = await store.conversations.queue(key(), 9)
    assert (head.messages, head.attempt, head.delivery) == ((message("one"),), 1, delivery)
    assert (refused.refusal, refused.attempt, refused.admitted_at) == (Reason.STALE, 0, clock.now())
    assert last.message == command("clear")
    assert await store.conversations.queue(key(), 1) == (head,)


async def test_a_bots_load_counts_turns_that_run_and_turns_that_wait_whatever_for(
    store: Store, session: str, clock: ManualClock
) -> None:
    await answer(store, session, message("one", chat="C4", bot="desk-21"))
    running = await begin(store, session, message("one"))
    backing_off = await begin(store, session, message("one", chat="C2"))
    await store.turns.retry(backing_off, 5.0)
    await wait(store, session, message("two"))
    await wait(store, session, message("one", chat="C3"))
    assert await store.conversations.load("helpdesk") == Load(1, 3)
    assert await store.conversations.load("desk-21") == Load(0, 0)
    assert await store.conversations.load("nobody") == Load(0, 0)
    following = await store.turns.complete(running, answered("ok"), keep_turns=9)
    assert following is not None
    assert await store.conversations.load("helpdesk") == Load(1, 2)


async def test_what_waits_is_counted_and_the_age_told_of_that_which_is_next(
    store: Store, session: str, clock: ManualClock
) -> None:
    async def queue(bot: str = "helpdesk") -> Queue:
        return (await store.conversations.queues([bot, "nobody"]))[bot]

    assert await queue() == Queue(0, 0.0)
    running = await begin(store, session, message("one"))
    clock.advance(1.0)
    await wait(store, session, message("two"))
    clock.advance(1.0)
    assert await queue() == Queue(1, 0.0), "it waits for its own conversation, whatever else has room"
    await wait(store, session, message("one", chat="C2"))
    clock.advance(2.0)
    await wait(store, session, message("one", chat="C3"))
    assert await queue() == Queue(3, 2.0)
    assert await queue("nobody") == Queue(0, 0.0)
    following = await store.turns.complete(running, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.key == key("C2")
    assert await queue() == Queue(2, 0.0), "C3 was ready before C1 was again"
    await store.turns.retry(following, 5.0)
    (third,) = await store.turns.claim(session, 1)
    await store.turns.complete(third, answered("ok"), keep_turns=9)
    assert await queue() == Queue(1, 0.0), "what backs off waits, and is not late"
    clock.advance(5.0)
    await store.turns.tick(100)
    assert await queue() == Queue(1, 7.0)


async def test_who_waits_for_their_own_replies_makes_no_queue_old_but_a_bot_at_its_limit_does(
    store: Store, session: str, clock: ManualClock
) -> None:
    limits = Limits(replies=2, per_person=1)

    async def say(chat: str, user: str) -> None:
        said = message("hi", chat=chat, user=user)
        await store.turns.admit(said, session=session, may_claim=True, limits=limits)

    await say("C1", "U1")
    await say("C2", "U1")
    clock.advance(3.0)
    assert await store.conversations.queues(["helpdesk"]) == {"helpdesk": Queue(1, 0.0)}
    assert await store.turns.claim(session, 9) == ()
    assert await store.conversations.queues(["helpdesk"]) == {"helpdesk": Queue(1, 0.0)}
    await say("C3", "U2")
    await say("C4", "U3")
    clock.advance(2.0)
    assert await store.conversations.queues(["helpdesk"]) == {"helpdesk": Queue(2, 2.0)}
