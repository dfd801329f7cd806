"""One person's data: told, forgotten, and never to be read from the audit or an answer that was remembered."""

from __future__ import annotations

from conversation.busy import Limits
from conversation.retries import Retries
from conversation.turn import Delivery, Final, Outcome, Part, Reason, Turn
from tests.conversation.made_up import ManualClock, answered, message
from tests.gateway.api.house import House
from tests.gateway.letters import TEXT, die

PERSON = {"channel": "slack", "user": "U1"}


async def spoken(house: House) -> None:
    """U1 and U2 had an answer each, a letter of U1 is dead, and one more message waits."""
    turns = house.store.turns
    await die(turns, message(TEXT, chat="C9"))
    session = await turns.open_session()
    for text, user in (("mine", "U1"), ("theirs", "U2")):
        await turns.admit(
            message(text, chat=user, user=user), session=session, may_claim=False, limits=Limits(9)
        )
        (claim,) = await turns.claim(session, 1)
        await turns.complete(claim, answered(f"to {text}"), keep_turns=9)
    for user in ("U1", "U2"):
        asked = message(f"why, {user}", chat="C7", user=user)
        failed = Final(("sorry",), "", Outcome("failed", Reason.MODEL_ERROR))
        turn = Turn(asked.turn_id, (asked,), 1.0, delivery=Delivery((Part(0, "ref"),), failed))
        await Retries(house.store.records, ManualClock()).keep(turn, turn.delivery, failed)
    await turns.admit(message("later", chat="C8"), session=session, may_claim=False, limits=Limits(9))


async def test_a_person_is_told_all_that_is_kept_and_nothing_of_others(house: House) -> None:
    await spoken(house)
    told = (await house.ask("POST", "/privacy/export", PERSON)).object
    assert isinstance(told["turns"], list)
    assert [(one["question"], one["answer"]) for one in told["turns"] if isinstance(one, dict)] == [
        ("mine", "to mine")
    ]
    assert TEXT in str(told["dead_letters"])
    assert "why" in str(told["failed"])
    assert told["waiting"] == 1
    assert "theirs" not in str(told)
    assert (await house.ask("POST", "/privacy/export", {**PERSON, "channel": "lark"})).object["turns"] == []


async def test_what_is_erased_is_gone_even_for_who_asks_again_with_the_same_key(house: House) -> None:
    await spoken(house)
    key = {"Idempotency-Key": "export"}
    await house.ask("POST", "/privacy/export", PERSON, headers=key)
    gone = (await house.ask("POST", "/privacy/erase", PERSON)).object
    assert gone == {"turns": 1, "dead_letters": 1, "failed": 1, "waiting": 1}
    again = (await house.ask("POST", "/privacy/export", PERSON, headers=key)).object
    assert (again["turns"], again["dead_letters"], again["failed"]) == ([], [], [])
    other = (await house.ask("POST", "/privacy/export", {**PERSON, "user": "U2"})).object
    assert "theirs" in str(other["turns"])
    assert "why, U2" in str(other["failed"])


async def test_the_audit_says_that_it_was_asked_for_and_not_of_whom(house: House) -> None:
    await house.ask("POST", "/privacy/export", PERSON)
    await house.ask("POST", "/privacy/erase", PERSON)
    audit = (await house.ask("GET", "/audit")).items
    assert [one["action"] for one in audit if isinstance(one, dict)] == ["person.erased", "person.exported"]
    assert "U1" not in str(audit)
