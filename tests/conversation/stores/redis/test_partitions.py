"""What holds when the bots of a house are spread over partitions, and over processes."""

from __future__ import annotations

from collections import defaultdict

import pytest

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.events import Event
from conversation.stores.port import LEASE, ClaimLostError, SessionLostError
from conversation.stores.redis import RedisStore
from conversation.stores.redis.partitions import Partitions
from conversation.turn import Claim, Final, Outcome, Reason
from tests.conversation.made_up import ManualClock, answered, key, message

BOTS = ("helpdesk", "lunch", "releases", "on-call")


async def admit(
    store: RedisStore, session: str, said: InboundMessage, *, may_claim: bool = True
) -> Claim | None:
    admission = await store.turns.admit(said, session=session, may_claim=may_claim, limits=Limits(50))
    assert admission.status == "accepted"
    return admission.claim


def test_these_bots_live_in_partitions_of_their_own() -> None:
    """Or the other tests would say nothing."""
    partitions = Partitions("n", 64)
    assert len({partitions.of(key(bot=bot).bot) for bot in BOTS} | {0}) == len(BOTS) + 1


async def test_the_event_log_of_all_bots_is_read_once_each_and_in_order_by_pages_of_any_size(
    here: RedisStore, clock: ManualClock
) -> None:
    session = await here.turns.open_session()
    read: list[Event] = []
    for number in range(12):
        bot = BOTS[number % len(BOTS)] if number < 8 else BOTS[0]
        claim = await admit(here, session, message(f"{number}", bot=bot))
        clock.advance(1.0)
        assert claim is not None
        await here.turns.complete(claim, answered("ok"), keep_turns=9)
        position = read[-1].position if read else 0
        read += await here.events.after(position, 1 + number % 3)
    while more := await here.events.after(read[-1].position, 2):
        read += more
    positions = [event.position for event in read]
    assert positions == sorted(set(positions))
    told: dict[str, list[str]] = defaultdict(list)
    for event in read:
        told[event.key.bot].append(event.kind)
    one_turn = ["message.admitted", "turn.claimed", "turn.completed"]
    assert dict(told) == {bot: one_turn * (6 if bot == BOTS[0] else 2) for bot in BOTS}


async def test_a_process_finds_work_of_bots_it_never_heard_of(here: RedisStore, there: RedisStore) -> None:
    session = await here.turns.open_session()
    other = await there.turns.open_session()
    for bot in BOTS:
        await admit(here, session, message(bot=bot), may_claim=False)
    assert not await there.turns.tick(100)
    claims = await there.turns.claim(other, 10)
    assert {claim.key.bot for claim in claims} == set(BOTS)
    assert await here.turns.claim(session, 10) == ()


async def test_slots_are_shared_out_among_bots_not_taken_by_the_longest_queue(here: RedisStore) -> None:
    session = await here.turns.open_session()
    for number in range(9):
        await admit(here, session, message("hi", chat=f"C{number}", bot=BOTS[0]), may_claim=False)
    for bot in BOTS[1:]:
        await admit(here, session, message("hi", bot=bot), may_claim=False)
    claims = await here.turns.claim(session, 4)
    assert {claim.key.bot for claim in claims} == set(BOTS)


async def test_a_freed_slot_goes_round_the_bots(here: RedisStore) -> None:
    """Nobody starves behind a bot that always has something ready."""
    session = await here.turns.open_session()
    running = await admit(here, session, message("first", chat="C0", bot=BOTS[0]))
    for number in range(1, 9):
        await admit(here, session, message("hi", chat=f"C{number}", bot=BOTS[0]), may_claim=False)
    for bot in BOTS[1:]:
        await admit(here, session, message("hi", bot=bot), may_claim=False)
    served = []
    while running is not None:
        running = await here.turns.complete(running, answered("ok"), keep_turns=9)
        if running is not None:
            served.append(running.key.bot)
    assert set(served[:4]) == set(BOTS)
    assert len(served) == 11


async def test_a_dead_process_loses_its_turns_in_every_partition(
    here: RedisStore, there: RedisStore, clock: ManualClock
) -> None:
    session = await here.turns.open_session()
    held = [await admit(here, session, message(bot=bot)) for bot in BOTS]
    clock.advance(LEASE)
    heir = await there.turns.open_session()
    assert await there.turns.tick(100) or await there.turns.tick(100)  # the first may only learn of the bots
    taken = await there.turns.claim(heir, 10)
    assert {(claim.key.bot, claim.turn.crashes) for claim in taken} == {(bot, 1) for bot in BOTS}
    for claim in held:
        assert claim is not None
        with pytest.raises(ClaimLostError):
            await here.turns.complete(claim, answered("late"), keep_turns=9)
    with pytest.raises(SessionLostError):
        await here.turns.renew(session, [claim for claim in held if claim])


async def test_a_session_keeps_its_claims_in_all_partitions_by_renewing(
    here: RedisStore, there: RedisStore, clock: ManualClock
) -> None:
    session = await here.turns.open_session()
    held: list[Claim] = []
    for bot in BOTS:
        clock.advance(LEASE / 3)
        claim = await admit(here, session, message(bot=bot))
        assert claim is not None
        held.append(claim)
        assert await here.turns.renew(session, held[1:]) == (held[0],)
    for _ in range(2):
        assert not await there.turns.tick(100)
    for claim in held:
        await here.turns.complete(claim, answered("ok"), keep_turns=9)


async def test_an_expired_session_gets_nothing_in_a_partition_that_is_new_to_it(
    here: RedisStore, clock: ManualClock
) -> None:
    session = await here.turns.open_session()
    clock.advance(LEASE + 1)
    assert await admit(here, session, message("one", bot=BOTS[0])) is None
    await here.turns.renew(session, ())
    assert await admit(here, session, message("two", bot=BOTS[1])) is not None


async def test_a_session_ends_everywhere_at_once(here: RedisStore, there: RedisStore) -> None:
    session = await here.turns.open_session()
    for bot in BOTS:
        await admit(here, session, message(bot=bot))
    await here.turns.close_session(session)
    heir = await there.turns.open_session()
    await there.turns.tick(100)
    claims = await there.turns.claim(heir, 10)
    assert {(claim.key.bot, claim.turn.crashes) for claim in claims} == {(bot, 0) for bot in BOTS}


async def test_dead_letters_of_all_bots_are_listed_oldest_first(here: RedisStore, clock: ManualClock) -> None:
    session = await here.turns.open_session()
    for bot in reversed(BOTS):
        claim = await admit(here, session, message(bot=bot))
        assert claim is not None
        clock.advance(1.0)
        dead = Final((), "", Outcome("dead", Reason.EXECUTOR_CRASH))
        await here.turns.complete(claim, dead, keep_turns=9)
    assert [letter.key.bot for letter in await here.turns.dead_letters()] == list(reversed(BOTS))
