"""A Slack bot under test, and the stand-in workspace, which must have nothing to complain about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
import pytest

from channels.port import ChannelPolicy
from channels.slack import SlackChannel, SlackCredentials
from gateway.demo.slack import SlackStandin
from tests.channels.slack.signing import SECRET

TOKEN = "xoxb-made-up"
UNREACHABLE = "http://127.0.0.1:1/"


class MakeChannel(Protocol):
    def __call__(
        self, policy: ChannelPolicy = ..., *, draft: bool = False, api_base_url: str = UNREACHABLE
    ) -> SlackChannel: ...


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def make_channel(http: aiohttp.ClientSession) -> MakeChannel:
    def make(
        policy: ChannelPolicy = ChannelPolicy(),  # noqa: B008 - frozen
        *,
        draft: bool = False,
        api_base_url: str = UNREACHABLE,
    ) -> SlackChannel:
        credentials = None if draft else SlackCredentials(SECRET, TOKEN)
        return SlackChannel("helpdesk", credentials, http=http, policy=policy, api_base_url=api_base_url)

    return make


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    async with SlackStandin(signing_secret=SECRET, bot_token=TOKEN, redeliver=False, latency=0) as standin:
        standin.add_channel("C1")
        standin.add_channel("D1", "im")
        yield standin
        assert standin.complaints == []
