"""Slack's Socket Mode, through the real gateway: the same pipeline, nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from conversation.stores.port import StoreUnavailableError
from gateway.demo.slack import SlackStandin
from gateway.demo.slack_socket import SOCKET
from tests.gateway.running import TOKEN as ADMIN_TOKEN
from tests.gateway.running import Running, running

SECRET, TOKEN, APP_TOKEN = "made-up-signing-secret", "xoxb-made-up", "xapp-made-up"


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    async with SlackStandin(
        signing_secret=SECRET,
        bot_token=TOKEN,
        app_token=APP_TOKEN,
        redeliver=True,
        redeliver_within=(0.01, 0.1),
        retry_delays=(0.05,) * 100,
        latency=0,
    ) as standin:
        standin.add_channel("D1", "im")
        yield standin
        assert standin.complaints == []


def bot(slack: SlackStandin) -> dict[str, object]:
    return {
        "id": "helpdesk",
        "channel": "slack",
        "transport": "socket",
        "api_base_url": slack.api_base_url,
        "credentials": {"signing_secret": SECRET, "bot_token": TOKEN, "app_token": APP_TOKEN},
    }


@pytest.fixture
async def here(tmp_path: Path, slack: SlackStandin) -> AsyncIterator[Running]:
    async with running(tmp_path, bot(slack)) as one, asyncio.timeout(30):
        await slack.socket.connected()
        yield one


async def answers(slack: SlackStandin, count: int) -> list[str]:
    """Wait for so many answers, and until everything was delivered."""
    while len(found := answered(slack)) < count or slack.open_streams():
        await asyncio.sleep(0.01)
    await slack.settle()
    return found


def answered(slack: SlackStandin) -> list[str]:
    return sorted(
        shown.text
        for room in slack.rooms.values()
        for shown in room.messages.values()
        if shown.author == "bot"
    )


async def test_a_message_by_the_socket_is_answered_once(slack: SlackStandin, here: Running) -> None:
    said = await slack.say(SOCKET, channel="D1", user="U1", text="hello")
    assert said.statuses == [200]
    assert len(await answers(slack, 1)) == 1
    assert len(said.deliveries) == 2, "it was delivered twice, and known the second time"
    assert len(answered(slack)) == 1


async def test_whether_it_is_connected_is_a_metric(here: Running) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{here.url}/metrics", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as answer,
    ):
        said = await answer.text()
    assert 'turnkeeper_transport_connected{bot="helpdesk",channel="slack"} 1.0' in said


async def test_a_slash_command_is_answered_in_its_acknowledgement(slack: SlackStandin, here: Running) -> None:
    status, _, body = await slack.command(SOCKET, "/stop", channel="D1", user="U1")
    assert status == 200
    assert b"text" in body


async def test_a_connection_that_breaks_loses_and_doubles_nothing(
    slack: SlackStandin, here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.slack.socket.STABLE_AFTER", 0.0)
    said = []
    for round_ in range(6):
        talking = []
        for n in range(5):
            slack.add_channel(f"D{round_}{n}", "im")
            saying = slack.say(SOCKET, channel=f"D{round_}{n}", user=f"U{round_}{n}", text="hello")
            talking.append(asyncio.create_task(saying))
        await asyncio.sleep(0.005 * round_)
        slack.socket.cut()
        said += await asyncio.gather(*talking)
        await slack.socket.connected()
    await slack.settle()
    assert all(200 in one.statuses for one in said)
    texts = await answers(slack, len(said))
    assert len(texts) == len(said) == 30
    assert slack.socket.opened >= 7


async def test_a_connection_is_renewed_before_the_old_one_ends(slack: SlackStandin, here: Running) -> None:
    old = slack.socket.connections[0]
    await slack.socket.refresh()
    await slack.socket.connected()
    assert old in slack.socket.connections, "the old one is still read"
    said = await slack.say(SOCKET, channel="D1", user="U1", text="hello")
    assert said.statuses == [200]


async def test_what_the_store_did_not_take_is_not_acknowledged_and_comes_again(
    slack: SlackStandin, here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = here.gateway.directory.admit
    away = 3

    async def failing(*arguments: object, **more: object) -> object:
        nonlocal away
        if away:
            away -= 1
            raise StoreUnavailableError("away")
        return await admit(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.demo.slack_socket.ACK_DEADLINE", 0.1)
    monkeypatch.setattr(here.gateway.directory, "admit", failing)
    said = await slack.say(SOCKET, channel="D1", user="U1", text="hello")
    await slack.settle()
    assert said.statuses == [0, 0, 0, 200]
    assert len(await answers(slack, 1)) == 1


async def test_the_drain_closes_the_connection_first(slack: SlackStandin, here: Running) -> None:
    held = slack.hold("chat.postMessage")
    async with held:
        said = await slack.say(SOCKET, channel="D1", user="U1", text="hello")
        assert said.statuses == [200]
        await here.gateway.transports.close()
        assert slack.socket.connections == [] or all(one.socket.closed for one in slack.socket.connections)
    await here.gateway.directory.drain(10)
    assert len(answered(slack)) == 1


async def test_without_the_right_token_it_tries_again_and_check_says_so(
    tmp_path: Path, slack: SlackStandin
) -> None:
    wrong = bot(slack) | {
        "credentials": {"signing_secret": SECRET, "bot_token": TOKEN, "app_token": "xapp-wrong"}
    }
    async with running(tmp_path, wrong) as one, asyncio.timeout(10):
        channel = one.gateway.hosting.routes["slack", "helpdesk"].channel
        findings = {finding.subject: finding for finding in await channel.check()}
        assert not findings["socket"].ok
        assert "invalid_auth" in findings["socket"].detail
        assert channel.transport is not None
        assert not channel.transport.connected
