"""A Lark bot under test, and the stand-in platform, which must have nothing to complain about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
import pytest

from channels.lark import LarkChannel, LarkCredentials
from channels.port import ChannelPolicy
from gateway.demo.lark import LarkStandin
from tests.channels.lark.signing import CREDENTIALS, KEY, TOKEN

UNREACHABLE = "http://127.0.0.1:1"


class MakeChannel(Protocol):
    def __call__(
        self,
        policy: ChannelPolicy = ...,
        *,
        credentials: LarkCredentials | None = ...,
        api_base_url: str = UNREACHABLE,
    ) -> LarkChannel: ...


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def make_channel(http: aiohttp.ClientSession) -> AsyncIterator[MakeChannel]:
    made: list[LarkChannel] = []

    def make(
        policy: ChannelPolicy = ChannelPolicy(),  # noqa: B008 -- frozen
        *,
        credentials: LarkCredentials | None = CREDENTIALS,
        api_base_url: str = UNREACHABLE,
    ) -> LarkChannel:
        made.append(LarkChannel("helpdesk", credentials, http=http, policy=policy, api_base_url=api_base_url))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


@pytest.fixture
async def platform() -> AsyncIterator[LarkStandin]:
    lark = LarkStandin(
        app_id=CREDENTIALS.app_id,
        app_secret=CREDENTIALS.app_secret,
        encrypt_key=KEY,
        verification_token=TOKEN,
        redeliver=False,
        latency=0,
    )
    async with lark:
        yield lark
    assert lark.complaints == []
