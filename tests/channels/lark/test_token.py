from __future__ import annotations

import asyncio

import pytest

from channels.lark.token import TenantToken
from conversation.outbound import DeliveryDelayedError
from tests import virtual_time

LIFE = 7200.0


class Platform:
    """Gives out t1, t2 … each taking a second; fails while ``down``."""

    def __init__(self) -> None:
        self.given = 0
        self.asked = 0
        self.down = False

    async def fetch(self) -> tuple[str, float]:
        self.asked += 1
        await asyncio.sleep(1)
        if self.down:
            raise DeliveryDelayedError("token: down", 2)
        self.given += 1
        return f"t{self.given}", LIFE


def test_all_who_wait_share_one_request() -> None:
    async def story() -> None:
        platform = Platform()
        token = TenantToken(platform.fetch)
        assert await asyncio.gather(*(token.get() for _ in range(50))) == ["t1"] * 50
        assert platform.asked == 1

    virtual_time.run(story())


def test_a_cancelled_waiter_does_not_end_the_request_of_the_others() -> None:
    async def story() -> None:
        platform = Platform()
        token = TenantToken(platform.fetch)
        first, second = asyncio.create_task(token.get()), asyncio.create_task(token.get())
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second == "t1"
        assert first.cancelled()
        assert platform.asked == 1

    virtual_time.run(story())


def test_it_is_renewed_in_the_last_half_hour_only() -> None:
    async def story() -> None:
        platform = Platform()
        token = TenantToken(platform.fetch)
        await token.get()
        await asyncio.sleep(LIFE - 1801)
        assert await token.get() == "t1"
        await asyncio.sleep(2)
        assert await token.get() == "t2"

    virtual_time.run(story())


def test_while_it_cannot_be_renewed_the_old_one_serves_to_its_end() -> None:
    async def story() -> None:
        platform = Platform()
        token = TenantToken(platform.fetch)
        await token.get()
        platform.down = True
        await asyncio.sleep(LIFE - 100)
        assert [await token.get() for _ in range(20)] == ["t1"] * 20
        assert platform.asked == 2
        await asyncio.sleep(110)
        with pytest.raises(DeliveryDelayedError):
            await token.get()
        platform.down = False
        assert await token.get() == "t2"

    virtual_time.run(story())


def test_a_failure_that_nobody_waits_for_any_more_is_no_warning() -> None:
    async def story() -> None:
        platform = Platform()
        platform.down = True
        token = TenantToken(platform.fetch)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await token.get()
        await asyncio.sleep(2)
        platform.down = False
        assert await token.get() == "t1"

    virtual_time.run(story())


def test_only_the_token_that_was_used_is_dropped() -> None:
    async def story() -> None:
        platform = Platform()
        token = TenantToken(platform.fetch)
        await token.get()
        token.drop("t0")
        assert await token.get() == "t1"
        token.drop("t1")
        assert await token.get() == "t2"

    virtual_time.run(story())
