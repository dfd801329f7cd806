"""What the turn store promises where conversations, bots and people are busy, engine by engine."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.stores.port import TurnStore
from conversation.turn import Delivery, Final, Outcome, Reason
from tests.conversation.made_up import SAID_AT, answered, key, message
from tests.conversation.stores.test_turns import say


async def test_no_more_replies_of_a_bot_run_than_its_limit_in_whatever_process(
    turns: TurnStore, session: str
) -> None:
    limits, other = Limits(replies=2), await turns.open_session()
    first = await say(turns, session, message("one", chat="C1", user="U1"), limits=limits)
    second = await say(turns, other, message("one", chat="C2", user="U2"), limits=limits)
    third = await say(turns, session, message("one", chat="C3", user="U3"), limits=limits)
    assert first.claim is not None
    assert second.claim is not None
    assert third.claim is None
    assert await turns.claim(other, 5) == ()
    following = await turns.complete(first.claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.key == key("C3")


async def test_a_bot_at_its_limit_holds_up_no_other_bot(turns: TurnStore, session: str) -> None:
    for chat in ("C1", "C2", "C3"):
        await say(turns, session, message("one", chat=chat), limits=Limits(replies=1))
    free = await say(turns, session, message("one", bot="desk-21"), may_claim=False)
    assert free.status == "accepted"
    assert [claim.key.bot for claim in await turns.claim(session, 5)] == ["desk-21"]


async def test_no_more_replies_to_a_person_run_than_the_limit_and_others_go_past(
    turns: TurnStore, session: str
) -> None:
    limits = Limits(per_person=1)
    running = await say(turns, session, message("one", chat="C1"), limits=limits)
    assert running.claim is not None
    for chat in ("C2", "C3"):
        assert (await say(turns, session, message("one", chat=chat), limits=limits)).claim is None
    await say(turns, session, message("one", chat="C4", user="U2"), limits=limits, may_claim=False)
    assert [claim.key for claim in await turns.claim(session, 5)] == [key("C4")]
    following = await turns.complete(running.claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.key == key("C2"), "the person's own order is kept"
    assert await turns.claim(session, 5) == ()
    heir = await turns.open_session()
    await turns.take_over(heir)
    assert {claim.key for claim in await turns.claim(heir, 5)} == {key("C3"), key("C4")}, "C2 waits now"


async def test_the_same_person_at_another_bot_is_another_person(turns: TurnStore, session: str) -> None:
    limits = Limits(per_person=1)
    for bot in ("helpdesk", "desk-21"):
        assert (await say(turns, session, message("one", bot=bot), limits=limits)).claim is not None


async def test_bots_take_turns_however_many_conversations_of_each_wait(
    turns: TurnStore, session: str
) -> None:
    for number in range(6):
        await say(turns, session, message("one", chat=f"B{number}"), may_claim=False)
    for number in range(2):
        await say(turns, session, message("one", chat=f"S{number}", bot="desk-21"), may_claim=False)
    order = [(await turns.claim(session, 1))[0].key.chat for _ in range(8)]
    assert order == ["B0", "S0", "B1", "S1", "B2", "B3", "B4", "B5"]


async def test_a_bot_that_was_away_has_not_saved_up(turns: TurnStore, session: str) -> None:
    for number in range(20):
        admission = await say(turns, session, message(f"{number}", chat=f"B{number}"))
        assert admission.claim is not None
    for number in range(4):
        await say(turns, session, message("one", chat=f"S{number}", bot="desk-21"), may_claim=False)
        await say(turns, session, message("two", chat=f"N{number}"), may_claim=False)
    order = [(await turns.claim(session, 1))[0].key.bot for _ in range(4)]
    assert order.count("desk-21") <= 3


async def test_merging_lets_one_answer_serve_what_a_person_said_meanwhile(
    turns: TurnStore, session: str
) -> None:
    running = await say(turns, session, message("one"), when_busy="merge")
    assert running.claim is not None
    for text in ("two", "three"):
        assert (await say(turns, session, message(text), when_busy="merge")).status == "accepted"
    await say(turns, session, message("other", user="U2"), when_busy="merge")
    following = await turns.complete(running.claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.turn.messages == (message("two"), message("three"))
    assert following.turn.id == message("two").turn_id
    assert following.turn.message == message("three"), "the answer stands under the newest"
    assert following.turn.question == "two\n\nthree"
    last = await turns.complete(following, answered("ok"), keep_turns=9)
    assert last is not None
    assert last.turn.messages == (message("other", user="U2"),), "nobody's message joins another person's"
    assert (await say(turns, session, message("three"), when_busy="merge")).status == "duplicate"


async def test_what_has_begun_takes_no_further_message(turns: TurnStore, session: str) -> None:
    await say(turns, session, message("one"), when_busy="merge")
    heir = await turns.open_session()
    await turns.take_over(heir)
    await say(turns, heir, message("two"), when_busy="merge")
    (claim,) = await turns.claim(heir, 1)
    assert claim.turn.messages == (message("one"),)


async def test_as_many_messages_are_merged_as_may_wait(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("0"), limits=Limits(2), when_busy="merge")
    assert running.claim is not None
    texts = [message(str(number)) for number in range(1, 6)]
    admissions = [await say(turns, session, one, limits=Limits(2), when_busy="merge") for one in texts]
    assert [one.status for one in admissions] == ["accepted"] * 4 + ["queue_full"]


async def test_a_message_that_interrupts_stops_the_reply_and_is_next(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"), when_busy="interrupt")
    assert running.claim is not None
    admission = await say(turns, session, message("two"), when_busy="interrupt")
    assert admission.stopped is not None
    assert (admission.stopped.session, admission.stopped.epoch) == (session, running.claim.epoch)
    assert admission.stopped.reason is Reason.SUPERSEDED
    again = await say(turns, session, message("three"), when_busy="interrupt")
    assert again.stopped is None, "it is stopped already"
    final = Final(("so far",), "so far", Outcome("cancelled", Reason.SUPERSEDED))
    following = await turns.complete(running.claim, final, keep_turns=9)
    assert following is not None
    assert following.turn.messages == (message("two"), message("three"))


async def test_the_owner_of_a_stopped_turn_hears_of_it_when_it_renews(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"))
    assert running.claim is not None
    assert await turns.renew(session, (running.claim,)) == ()
    stopped = await turns.stop(key(), "stop 1", SAID_AT)
    assert stopped is not None
    assert (stopped.session, stopped.epoch, stopped.reason) == (session, 1, Reason.CANCELLED)
    (told,) = await turns.renew(session, (running.claim,))
    assert told.turn.refusal is Reason.CANCELLED
    await turns.complete(running.claim, answered("so far"), keep_turns=9)
    assert await turns.renew(session, ()) == ()


async def test_a_wish_to_stop_counts_once(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"))
    assert running.claim is not None
    await say(turns, session, message("two"))
    assert await turns.stop(key(), "stop 1", SAID_AT) is not None
    following = await turns.complete(running.claim, answered("so far"), keep_turns=9)
    assert following is not None
    assert await turns.stop(key(), "stop 1", SAID_AT) is None, "a redelivery does not stop the next reply"
    assert following.turn.refusal is None
    assert await turns.stop(key("elsewhere"), "stop 2", SAID_AT) is None


async def test_a_turn_whose_final_text_is_stored_cannot_be_stopped(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"))
    assert running.claim is not None
    await turns.checkpoint(running.claim, Delivery((), answered("done")))
    assert await turns.stop(key(), "stop 1", SAID_AT) is None
    assert await turns.take_back("helpdesk", message("one").turn_id) is None


async def test_a_stopped_turn_stays_stopped_when_its_process_dies(turns: TurnStore, session: str) -> None:
    await say(turns, session, message("one"))
    await turns.stop(key(), "stop 1", SAID_AT)
    heir = await turns.open_session()
    await turns.take_over(heir)
    (claim,) = await turns.claim(heir, 1)
    assert claim.turn.refusal is Reason.CANCELLED
    assert await turns.renew(heir, (claim,)) == (), "it was told with the claim"


async def test_a_message_taken_back_while_it_waits_is_not_answered(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"))
    assert running.claim is not None
    await say(turns, session, message("two"))
    assert await turns.take_back("helpdesk", message("two").turn_id) is not None
    assert await turns.take_back("helpdesk", message("two").turn_id) is None
    assert await turns.take_back("helpdesk", "unknown") is None
    following = await turns.complete(running.claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert following.turn.refusal is Reason.TAKEN_BACK


async def test_a_message_taken_back_while_it_is_answered_stops_the_reply(
    turns: TurnStore, session: str
) -> None:
    running = await say(turns, session, message("one"))
    assert running.claim is not None
    stopped = await turns.take_back("helpdesk", message("one").turn_id)
    assert stopped is not None
    assert (stopped.session, stopped.reason) == (session, Reason.TAKEN_BACK)
    await turns.complete(running.claim, answered("so far"), keep_turns=9)
    assert await turns.take_back("helpdesk", message("one").turn_id) is None


async def test_one_of_several_merged_messages_is_left_out(turns: TurnStore, session: str) -> None:
    running = await say(turns, session, message("one"), when_busy="merge")
    assert running.claim is not None
    for text in ("two", "three"):
        await say(turns, session, message(text), when_busy="merge")
    assert await turns.take_back("helpdesk", message("two").turn_id) is not None
    following = await turns.complete(running.claim, answered("ok"), keep_turns=9)
    assert following is not None
    assert (following.turn.messages, following.turn.refusal) == ((message("three"),), None)
    assert following.turn.id == message("two").turn_id


async def test_a_message_taken_back_before_it_arrives_is_not_taken(turns: TurnStore, session: str) -> None:
    assert await turns.take_back("helpdesk", message("one").turn_id) is None
    assert (await say(turns, session, message("one"))).status == "duplicate"


async def test_a_wish_from_before_the_message_is_not_meant_for_its_answer(
    turns: TurnStore, session: str
) -> None:
    await say(turns, session, message("one"))
    assert await turns.stop(key(), "stop 1", SAID_AT - 1) is None
    assert await turns.stop(key(), "stop 2", SAID_AT) is not None


async def test_who_is_refused_for_a_full_queue_interrupts_nobody(turns: TurnStore, session: str) -> None:
    for number, user in enumerate(("U1", "U2", "U3")):
        said = message(str(number), user=user)
        await say(turns, session, said, limits=Limits(2), when_busy="queue")
    refused = await say(turns, session, message("now", user="U4"), limits=Limits(2), when_busy="interrupt")
    assert (refused.status, refused.stopped) == ("queue_full", None)
