"""What a bot may have open at once, by a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from channels.leased import Budget
from channels.slack.limits import Limits, Slot


class MovedClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    moved = MovedClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", moved.time)
    return moved


async def opened(limits: Limits, clock: MovedClock, *, minutes: int) -> list[Slot]:
    """As many streams as can be had in this time, trying every second."""
    slots: list[Slot] = []
    for _ in range(minutes * 60):
        clock.now += 1
        if (slot := await limits.try_stream()) is not None:
            slots.append(slot)
    return slots


async def test_no_more_streams_are_live_than_can_be_closed_within_a_minute(clock: MovedClock) -> None:
    limits = Limits(Budget())
    held = await opened(limits, clock, minutes=10)
    assert len(held) == limits.live_streams == 19


async def test_a_closed_or_abandoned_stream_makes_room(clock: MovedClock) -> None:
    limits = Limits(Budget())
    held = await opened(limits, clock, minutes=10)
    clock.now += 60
    held[0].close()
    first = await limits.try_stream()
    assert first is not None
    assert await limits.try_stream() is None
    del held[1]
    assert await limits.try_stream() is not None


async def test_streams_are_opened_no_faster_than_slack_allows(clock: MovedClock) -> None:
    limits = Limits(Budget())
    opens = 0
    for _ in range(600):
        clock.now += 1
        if (slot := await limits.try_stream()) is not None:
            slot.close()
            opens += 1
    assert 19 * 10 <= opens <= 19 * 11


@pytest.mark.usefixtures("clock")
async def test_the_first_stop_is_paid_for_when_the_stream_opens() -> None:
    limits = Limits(Budget())
    slot = await limits.try_stream()
    assert slot is not None
    while await limits.stop_stream.try_take():
        pass
    await slot.take_stop()
    repeated = asyncio.ensure_future(slot.take_stop())
    await asyncio.sleep(0)
    assert not repeated.done()
    repeated.cancel()
    await asyncio.gather(repeated, return_exceptions=True)
