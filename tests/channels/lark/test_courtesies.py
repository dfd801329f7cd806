"""The mark of a message that is being answered, on the stand-in platform."""

from __future__ import annotations

import asyncio

import pytest

from channels.lark import courtesies as courtesies_module
from conversation.courtesies import Courtesies
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from tests.channels.lark.test_outbound import Desk, Desks, desks

__all__ = ["desks"]

REACT = "im.v1.message_reaction.create"
UNREACT = "im.v1.message_reaction.delete"
LIST = "im.v1.message_reaction.list"


def of(desk: Desk) -> Courtesies:
    found = desk.outbound.courtesies
    assert found is not None
    return found


def reactions(desk: Desk) -> list[str]:
    return next(one for one in desk.platform.everything() if one.ts == desk.to.message).reactions


async def test_a_message_is_marked_once_and_the_mark_is_taken_away(desks: Desks) -> None:
    desk = await desks.open()
    await of(desk).mark(desk.to)
    await of(desk).mark(desk.to)
    assert reactions(desk) == ["Typing"]
    await of(desk).unmark(desk.to)
    assert reactions(desk) == []


@pytest.mark.parametrize("marked_again", [False, True])
async def test_the_mark_of_another_process_is_found_and_taken_away(desks: Desks, marked_again: bool) -> None:
    dead = await desks.open()
    await of(dead).mark(dead.to)
    heir = desks.take_over(dead)
    if marked_again:
        await of(heir).mark(dead.to)
    await of(heir).unmark(dead.to)
    assert reactions(dead) == []


async def test_an_app_that_may_not_list_reactions_takes_its_own_away(desks: Desks) -> None:
    desk = await desks.open()
    desk.platform.fail_next(LIST, error=99991672)
    for _ in range(2):
        await of(desk).mark(desk.to)
        await of(desk).unmark(desk.to)
        assert reactions(desk) == []
    assert desk.platform.calls[LIST] == 1


async def test_nothing_is_taken_away_twice(desks: Desks) -> None:
    desk = await desks.open()
    await of(desk).unmark(desk.to)
    assert desk.platform.calls[UNREACT] == 0


async def test_a_message_that_is_gone_has_no_mark(desks: Desks) -> None:
    desk = await desks.open()
    await of(desk).mark(desk.to)
    desk.platform.fail_next(UNREACT, error=231003)
    await of(desk).unmark(desk.to)
    desk.platform.fail_next(REACT, error=231003)
    await of(desk).mark(desk.to)
    assert desk.platform.calls[REACT] == 2


async def test_an_app_without_the_scope_is_left_alone_for_a_while(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courtesies_module, "UNAVAILABLE_FOR", 0.3)
    desk = await desks.open()
    desk.platform.fail_next(REACT, error=99991672)
    for _ in range(3):
        await of(desk).mark(desk.to)
        await of(desk).unmark(desk.to)
    assert (desk.platform.calls[REACT], desk.platform.calls[LIST]) == (1, 0)
    await asyncio.sleep(0.35)
    await of(desk).mark(desk.to)
    assert reactions(desk) == ["Typing"]


async def test_a_mark_that_a_limit_holds_back_is_not_made(desks: Desks) -> None:
    desk = await desks.open()
    desk.platform.fail_next(REACT, error=99991400, retry_after=2)
    with pytest.raises(DeliveryDelayedError):
        await of(desk).mark(desk.to)
    await of(desk).mark(desk.to)
    assert desk.platform.calls[REACT] == 1, "the platform asked to wait"


async def test_there_is_no_whisper_and_no_place_for_suggestions(desks: Desks) -> None:
    desk = await desks.open()
    with pytest.raises(DeliveryRefusedError):
        await of(desk).whisper(desk.to, "psst")
    assert not await of(desk).suggest(desk.to, ())
