"""Real gateways with connections of their own instead of webhooks: one is killed, frozen or replaced; nothing that a
person said is lost, and nothing is answered twice.
"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from pathlib import Path

import pytest
import yaml

from gateway.demo.lark_socket import LONG_CONNECTION
from gateway.demo.model import Reply
from gateway.demo.people import Said
from gateway.demo.slack_socket import SOCKET
from tests.faults.test_replicas import on_redis
from tests.town import APP_TOKEN, Town, town
from tests.waiting import until


def by_socket(folder: Path) -> None:
    """Let the Slack bot of this configuration have its events by Socket Mode."""
    path = folder / "turnkeeper.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    slack = written["bots"][0]
    slack["transport"] = "socket"
    slack["credentials"]["app_token"] = APP_TOKEN
    path.write_text(yaml.safe_dump(written), encoding="utf-8")


async def started(here: Town) -> None:
    by_socket(here.folder)
    for number, _ in enumerate(here.others, 2):
        by_socket(here.folder / f"replica{number}")
    await asyncio.gather(*[one.start() for one in (here.gateway, *here.others)])
    async with asyncio.timeout(20):
        await here.slack.socket.connected(1 + len(here.others))


async def talk(here: Town, people: int) -> list[Said]:
    said = []
    for number in range(people):
        here.slack.add_channel(f"D9{number}", "im")
        said.append(
            await here.slack.say(SOCKET, channel=f"D9{number}", user=f"U{number}", text=f"message {number}")
        )
        await asyncio.sleep(0.02)
    return said


async def all_answered(here: Town, said: list[Said]) -> None:
    for one in said:
        await here.answered([one], lambda chat=one.chat: here.slack.thread(chat, None))  # type: ignore[misc]
    await here.slack.settle()
    for one in said:
        assert here.faults([one], here.slack.thread(one.chat, None)) == []


async def test_of_two_replicas_one_is_killed_while_both_receive(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=lambda m: Reply(f"fine: {m[-1].content}"),
        replicas=2,
        settings=on_redis(),
        start=False,
    ) as here:
        await started(here)
        talking = asyncio.create_task(talk(here, 20))
        await asyncio.sleep(0.2)
        await here.gateway.kill()
        said = await talking
        await all_answered(here, said)
        assert all(200 in one.statuses for one in said)


async def test_of_two_replicas_each_is_replaced_while_people_talk(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=lambda m: Reply(f"fine: {m[-1].content}"),
        replicas=2,
        settings={**on_redis(), "drain": "10s"},
        start=False,
    ) as here:
        await started(here)
        talking = asyncio.create_task(talk(here, 60))
        for one in (here.gateway, *here.others):
            one.signal(signal.SIGTERM)
            assert await one.ended() == 0
            await one.start()
            await until(lambda: len(here.slack.socket.connections) == 2, 20)
        said = await talking
        await all_answered(here, said)
        assert all(200 in one.statuses for one in said)


async def test_the_only_gateway_is_killed_and_started_again(tmp_path: Path) -> None:
    async with town(tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}"), start=False) as here:
        await started(here)
        said = await talk(here, 3)
        await here.gateway.kill()
        await here.gateway.start()
        async with asyncio.timeout(20):
            await here.slack.socket.connected()
        said += [await here.slack.say(SOCKET, channel="D1", user="U1", text="and now")]
        await all_answered(here, said)


@pytest.mark.skipif(importlib.util.find_spec("lark_oapi") is None, reason="lark-oapi is not installed")
async def test_a_gateway_with_a_long_connection_is_killed_and_drained(tmp_path: Path) -> None:
    """With the real lark-oapi in its process, which goes with the gateway."""
    async with town(tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}"), start=False) as here:
        path = tmp_path / "turnkeeper.yaml"
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        written["bots"][1]["transport"] = "long_connection"
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        connections = here.lark.long_connections

        async def started() -> None:
            await here.gateway.start()
            async with asyncio.timeout(40):
                await connections.connected()

        async def say(chat: str) -> Said:
            return await here.lark.say(LONG_CONNECTION, chat=chat, user="ou_1", text=f"in {chat}")

        await started()
        said = [await say(f"oc_{number}") for number in range(3)]
        await here.gateway.kill()
        await until(lambda: connections.count == 0, 10)
        await started()
        said.append(await say("oc_3"))
        for one in said:
            await here.answered([one], lambda chat=one.chat: here.lark.chat(chat))  # type: ignore[misc]
        here.gateway.signal(signal.SIGTERM)
        assert await here.gateway.ended() == 0
        assert connections.count == 0
