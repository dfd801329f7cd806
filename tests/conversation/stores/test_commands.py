"""What commands do to conversations, and how they stand in line, engine by engine."""

from __future__ import annotations

import pytest

from conversation.busy import Limits, WhenBusy
from conversation.messages import InboundMessage
from conversation.stores.port import Store, TurnStore
from conversation.turn import Final, Outcome, Reason
from tests.conversation.made_up import OBEYED, SAID_AT, answered, command, key, message
from tests.conversation.stores.talk import answer, begin, wait
from tests.conversation.stores.test_turns import say


async def texts(store: Store, chat: str = "C1") -> list[str]:
    return [said.question for said in await store.transcripts.said(key(chat), 99)]


async def agent(store: Store) -> str:
    state = await store.conversations.find(key())
    assert state is not None
    return state.agent


async def test_a_clear_forgets_what_was_said_in_its_conversation_alone(store: Store, session: str) -> None:
    for chat in ("C1", "C2"):
        await answer(store, session, message("before", chat=chat))
    await answer(store, session, command("bind", "other"))
    await answer(store, session, command("clear"))
    assert await texts(store) == []
    assert await texts(store, "C2") == ["before"]
    assert await agent(store) == "other"
    await answer(store, session, message("after"))
    assert await texts(store) == ["after"]


async def test_a_bound_agent_comes_with_every_later_claim_however_it_is_made(
    store: Store, session: str
) -> None:
    claim = await answer(store, session, command("bind", "other"))
    assert claim.agent == ""
    claim = await begin(store, session, message("one"))
    assert claim.agent == await agent(store) == "other"
    await wait(store, session, message("two"))
    assert [one.agent for one in await store.turns.renew(session, ())] == ["other"]
    following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.agent == "other"
    heir = await store.turns.open_session()
    await store.turns.take_over(heir)
    assert [one.agent for one in await store.turns.claim(heir, 9)] == ["other"]
    assert (await begin(store, heir, message("one", chat="C2"))).agent == ""


async def test_an_end_undoes_the_bind_and_forgets_what_was_said(store: Store, session: str) -> None:
    for said in (command("bind", "other"), message("one"), command("end"), message("two")):
        claim = await answer(store, session, said)
    assert (claim.agent, await agent(store)) == ("", "")
    assert await texts(store) == ["two"]
    await answer(store, session, command("bind", "third", number=2))
    await answer(store, session, command("bind", "", number=3))
    assert await agent(store) == "", "bound to none is not bound"


async def test_a_command_does_nothing_before_its_turn_has_come(store: Store, session: str) -> None:
    claim = await begin(store, session, message("one"))
    await wait(store, session, command("clear"))
    following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.turn.message == command("clear")
    assert await texts(store) == ["one"]
    await store.turns.complete(following, OBEYED, keep_turns=9)
    assert await texts(store) == []


async def test_obeying_twice_counts_once(store: Store, session: str) -> None:
    claim = await answer(store, session, command("bind", "other"))
    assert await store.turns.complete(claim, OBEYED, keep_turns=9) is None
    assert await agent(store) == "other"
    assert [event.kind for event in await store.events.of_turn(claim.turn.id)].count("turn.completed") == 1


@pytest.mark.parametrize(
    "final",
    [
        Final((), "", Outcome("cancelled", Reason.CANCELLED)),
        Final((), "", Outcome("refused", Reason.BOT_DISABLED)),
        Final((), "", Outcome("dead", Reason.EXECUTOR_CRASH)),
    ],
)
async def test_what_is_not_obeyed_is_not_carried_out(store: Store, session: str, final: Final) -> None:
    await answer(store, session, message("before"))
    await answer(store, session, command("end"), final)
    await answer(store, session, command("bind", "other"), final)
    assert (await texts(store), await agent(store)) == (["before"], "")


async def test_a_command_that_was_stopped_while_it_ran_is_not_carried_out(store: Store, session: str) -> None:
    """Its process had looked before that, and says that it is obeyed."""
    await answer(store, session, message("before"))
    claim = await begin(store, session, command("clear"))
    assert await store.turns.stop(key(), "wish 1", SAID_AT) is not None
    await store.turns.complete(claim, OBEYED, keep_turns=9)
    assert await texts(store) == ["before"]
    assert (await store.events.of_turn(claim.turn.id))[-1].detail == "cancelled"


async def test_a_command_that_is_taken_back_in_time_is_refused(store: Store, session: str) -> None:
    claim = await begin(store, session, message("one"))
    await wait(store, session, command("clear"))
    assert await store.turns.take_back("helpdesk", command("clear").turn_id) is not None
    following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.turn.refusal is Reason.TAKEN_BACK


@pytest.mark.parametrize("when_busy", ["merge", "interrupt"])
async def test_a_command_shares_its_turn_with_nobody(
    turns: TurnStore, store: Store, session: str, when_busy: WhenBusy
) -> None:
    async def says(said: InboundMessage) -> None:
        admission = await say(turns, session, said, limits=Limits(9), when_busy=when_busy)
        assert (admission.status, admission.claim, admission.stopped) == ("accepted", None, None)

    running = await begin(store, session, message("one", user="U9"))
    await turns.checkpoint(running, running.turn.delivery)
    await says(command("clear"))
    await says(command("bind", "other"))
    queue = await store.conversations.queue(key(), 9)
    assert [len(turn.messages) for turn in queue] == [1, 1, 1]
    admission = await say(turns, session, message("two"), limits=Limits(9), when_busy=when_busy)
    assert (admission.stopped is not None) == (when_busy == "interrupt")
    queue = await store.conversations.queue(key(), 9)
    assert [turn.message.command for turn in queue] == [
        None,
        command("clear").command,
        command("bind", "other").command,
        None,
    ]


async def test_text_that_looks_like_a_command_is_text(turns: TurnStore, store: Store, session: str) -> None:
    await begin(store, session, message("one"))
    for text in ('"command":{"kind":"clear"}', '\\"command":{', "two"):
        await say(turns, session, message(text), limits=Limits(9), when_busy="merge")
    assert [len(turn.messages) for turn in await store.conversations.queue(key(), 9)] == [1, 3]


async def test_an_interruption_ends_replies_and_no_command_that_is_being_obeyed(
    turns: TurnStore, store: Store, session: str
) -> None:
    await answer(store, session, message("before"))
    claim = await begin(store, session, command("clear"))
    admission = await say(turns, session, message("after"), when_busy="interrupt")
    assert admission.stopped is None
    await turns.complete(claim, OBEYED, keep_turns=9)
    assert await texts(store) == []


async def test_commands_are_bounded_like_messages(turns: TurnStore, store: Store, session: str) -> None:
    await begin(store, session, message("one"))
    await wait(store, session, command("clear"))
    full = await say(turns, session, command("end"), limits=Limits(1), when_busy="merge")
    assert (full.status, full.notice_due) == ("queue_full", True)
