"""Completed turns that are shown once more, and the grace after an outage, engine by engine."""

from __future__ import annotations

import pytest

from conversation.stores.port import (
    GRACE,
    LEASE,
    OUTAGE,
    REPAIR_AGAIN,
    REPAIRABLE_FOR,
    SessionLostError,
    TurnStore,
)
from conversation.turn import Claim, Delivery, Part, Repair
from tests.conversation.made_up import ManualClock, answered, key, message
from tests.conversation.stores.test_turns import claimed


async def repairable(turns: TurnStore, session: str) -> Claim:
    claim = await claimed(turns, session, "hello")
    await turns.checkpoint(claim, Delivery((Part(0, "ref"),), answered("ok")))
    await turns.complete(claim, answered("ok"), keep_turns=9, repair_after=20.0)
    return claim


async def test_a_repair_is_due_after_its_time_and_again_until_it_is_done(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await repairable(turns, session)
    assert await turns.due_repairs(9) == ()
    clock.advance(20.0)
    (repair,) = await turns.due_repairs(9)
    assert (repair.turn.id, repair.turn.messages) == (claim.turn.id, (message("hello"),))
    assert repair.turn.delivery == Delivery((Part(0, "ref"),), answered("ok"))
    assert await turns.due_repairs(9) == (), "somebody is at it"
    clock.advance(REPAIR_AGAIN)
    assert await turns.due_repairs(9) == (repair,), "who took it has died"
    await turns.repaired(repair)
    clock.advance(REPAIR_AGAIN)
    assert await turns.due_repairs(9) == ()


async def test_without_a_takeover_nothing_is_kept(turns: TurnStore, session: str, clock: ManualClock) -> None:
    await turns.complete(await claimed(turns, session, "hello"), answered("ok"), keep_turns=9)
    clock.advance(REPAIR_AGAIN)
    assert await turns.due_repairs(9) == ()


async def test_whoever_may_have_written_late_has_it_repaired_once_more(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await repairable(turns, session)
    clock.advance(20.0)
    (repair,) = await turns.due_repairs(9)
    await turns.repaired(repair)
    clock.advance(600.0)
    await turns.suspect(claim, 5.0, "a stray")
    assert await turns.due_repairs(9) == ()
    clock.advance(5.0)
    assert await turns.due_repairs(9) == (Repair(repair.turn, ("a stray",)),)
    await turns.repaired(repair)
    clock.advance(REPAIRABLE_FOR)
    await turns.tick(9)
    await turns.suspect(claim, 0.0)
    assert await turns.due_repairs(9) == (), "that was too long ago"


async def test_a_suspicion_does_not_bring_forward_what_is_due_later(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    await turns.suspect(await repairable(turns, session), 1.0)
    clock.advance(19.0)
    assert await turns.due_repairs(9) == ()
    clock.advance(1.0)
    assert len(await turns.due_repairs(9)) == 1


async def test_what_is_suspected_while_the_heir_is_at_work_is_repaired_afterwards(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    heir = await turns.open_session()
    await turns.take_over(heir)
    (newer,) = await turns.claim(heir, 1)
    await turns.suspect(claim, 5.0, "a stray")
    await turns.checkpoint(newer, Delivery((Part(0, "ref"),), answered("ok")))
    await turns.complete(newer, answered("ok"), keep_turns=9, repair_after=20.0)
    clock.advance(20.0)
    (repair,) = await turns.due_repairs(9)
    assert repair.strays == ("a stray",)


async def test_after_an_outage_of_the_store_nobody_is_reaped_for_a_while(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await claimed(turns, session, "hello")
    other = await turns.open_session()
    await turns.tick(9)
    clock.advance(LEASE + OUTAGE)
    assert not await turns.tick(9), "both leases have ended, and nobody could renew"
    clock.advance(GRACE / 2)
    assert not await turns.tick(9)
    assert await turns.renew(session, (claim,)) == ()
    clock.advance(GRACE / 2)
    await turns.tick(9)
    assert await turns.renew(session, (claim,)) == ()
    with pytest.raises(SessionLostError):
        await turns.renew(other, ())


async def test_a_dead_session_is_reaped_without_grace_while_others_tick(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    await claimed(turns, session, "hello")
    heir = await turns.open_session()
    for _ in range(int(LEASE / OUTAGE)):
        clock.advance(OUTAGE)
        await turns.renew(heir, ())
        await turns.tick(9)
    assert [claim.key for claim in await turns.claim(heir, 1)] == [key()]


async def test_nothing_ran_where_a_conversation_is_idle_with_the_same_epoch(
    turns: TurnStore, session: str
) -> None:
    assert await turns.epoch_if_idle(key()) == 0
    claim = await claimed(turns, session, "hello")
    assert await turns.epoch_if_idle(key()) is None
    await turns.complete(claim, answered("ok"), keep_turns=9)
    assert await turns.epoch_if_idle(key()) == claim.epoch


async def test_what_is_told_while_a_repair_is_made_is_not_forgotten(
    turns: TurnStore, session: str, clock: ManualClock
) -> None:
    claim = await repairable(turns, session)
    clock.advance(20.0)
    (repair,) = await turns.due_repairs(9)
    await turns.suspect(claim, 5.0, "a stray")
    await turns.repaired(repair)
    clock.advance(REPAIR_AGAIN)
    (again,) = await turns.due_repairs(9)
    assert again.strays == ("a stray",)
