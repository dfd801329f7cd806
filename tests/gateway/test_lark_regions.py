"""A bot's region decides which platform is asked: the host has to match the tenant's brand."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from conversation.stores.memory.records import MemoryRecords
from gateway.bot_settings import LarkBot
from gateway.concrete import Installing, Maker
from gateway.secret import Sources
from gateway.settings import Limits
from tests.conversation.made_up import ManualClock


class _NoNetwork(AbstractResolver):
    """Knows no host; remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.add(host)
        raise OSError("there is no network here")

    @override
    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "open.feishu.cn"),
        ({"region": "feishu"}, "open.feishu.cn"),
        ({"region": "lark"}, "open.larksuite.com"),
        ({"region": "lark", "api_base_url": "https://lark.example.com"}, "lark.example.com"),
    ],
)
async def test_the_region_decides_whom_the_bot_asks(settings: dict[str, str], host: str) -> None:
    bot = LarkBot.model_validate(
        {
            "id": "assistant",
            "channel": "lark",
            "agent": "default",
            "credentials": {"app_id": "cli_1", "app_secret": "s", "encrypt_key": "k"},
            **settings,
        },
        context=Sources({}, Path(), None),
    )
    network = _NoNetwork()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=network)) as http:
        maker = Maker(
            Limits(),
            http,
            http,
            None,
            installing=Installing(MemoryRecords(), None, ""),
            clock=ManualClock(0.0),
        )
        channel = maker.channel(bot)
        (finding,) = await channel.check()
        assert not finding.ok
        assert network.asked == {host}
        await channel.close()
