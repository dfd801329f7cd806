"""Lark's long connection with the real lark-oapi, through the real gateway, against the platform's protocol."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from conversation.stores.port import StoreUnavailableError
from gateway.demo.lark import LarkStandin
from gateway.demo.lark_socket import LONG_CONNECTION
from tests.gateway.running import running

Admit = Callable[..., Awaitable[object]]


def away_at_first(admit: Admit, times: int) -> Admit:
    """As a store that is away so many times."""

    async def admitted(*given: object, **named: object) -> object:
        nonlocal times
        if times:
            times -= 1
            raise StoreUnavailableError("away")
        return await admit(*given, **named)

    return admitted


@pytest.mark.skipif(importlib.util.find_spec("lark_oapi") is None, reason="lark-oapi is not installed")
@pytest.mark.timeout(120)
async def test_events_by_the_long_connection_are_answered_once_whatever_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LarkStandin(
        app_id="cli_1",
        app_secret="made-up-secret",
        verification_token="token",
        retry_delays=(0.2,) * 100,
        redeliver_within=(0.01, 0.1),
        latency=0,
    ) as lark:
        bot = {
            "id": "assistant",
            "channel": "lark",
            "transport": "long_connection",
            "api_base_url": lark.api_base_url,
            "credentials": {"app_id": "cli_1", "app_secret": "made-up-secret", "verification_token": "token"},
        }
        async with running(tmp_path, bot) as here, asyncio.timeout(100):
            await lark.long_connections.connected()
            said = await lark.say(LONG_CONNECTION, chat="oc_1", user="ou_1", text="hello")
            assert said.statuses == [200]
            lark.long_connections.parts = 3
            said = await lark.say(LONG_CONNECTION, chat="oc_2", user="ou_2", text="in three frames")
            assert said.statuses == [200]
            lark.long_connections.parts = 1

            lark.long_connections.cut()
            broken = await lark.say(LONG_CONNECTION, chat="oc_3", user="ou_3", text="while it breaks")
            await lark.settle()
            assert 200 in broken.statuses
            assert lark.long_connections.opened >= 2

            monkeypatch.setattr(
                here.gateway.directory, "admit", away_at_first(here.gateway.directory.admit, 2)
            )
            refused = await lark.say(
                LONG_CONNECTION, chat="oc_4", user="ou_4", text="while the store is away"
            )
            await lark.settle()
            assert refused.statuses[:3] == [500, 500, 200]

            while here.gateway.directory.running:
                await asyncio.sleep(0.01)
            for chat in ("oc_1", "oc_2", "oc_3", "oc_4"):
                assert [shown.author for shown in lark.chat(chat)] == ["person", "bot"], chat

            await here.gateway.transports.close()
            async with asyncio.timeout(5):
                while lark.long_connections.count:
                    await asyncio.sleep(0.01)
        assert lark.complaints == []
