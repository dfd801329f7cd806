"""Admins change bots and keys while people talk: real processes, a real Valkey, judged by what a person sees."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from gateway.demo.gateway_process import GatewayDiedError, GatewayProcess
from gateway.demo.people import Said
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.faults.talk import replies, script
from tests.town import Town, town
from tests.waiting import until

TOKEN = "an-admin-token-of-the-tests"
OLD, NEW = "an-old-key-of-the-tests", "a-new-key-of-the-tests"


@asynccontextmanager
async def managed(folder: Path) -> AsyncIterator[Town]:
    """Two replicas without a bot of their own."""
    settings: dict[str, object] = {
        "store": {"url": valkey().url, "namespace": fresh_namespace()},
        "admin": {"token": TOKEN},
        "secrets_key": OLD,
        "drain": "30s",
        "bots": [],
    }
    async with town(folder, script=script, replicas=2, tokens_per_second=25, settings=settings) as here:
        yield here


async def ask(
    gateway: GatewayProcess, method: str, path: str, body: object = None, *, version: int | None = None
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if version is not None:
        headers |= {"If-Match": f'"{version}"', "Content-Type": "application/merge-patch+json"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.request(method, f"{gateway.url}/api/v1{path}", json=body) as answer,
    ):
        return answer.status, await answer.json() if answer.content_length else {}


def assistant(here: Town) -> dict[str, object]:
    known = here.credentials
    return {
        "id": "assistant",
        "channel": "lark",
        "agent": "default",
        "api_base_url": here.lark.api_base_url,
        "credentials": {
            "app_id": known.app_id,
            "app_secret": known.app_secret,
            "encrypt_key": known.encrypt_key,
            "verification_token": known.verification_token,
        },
    }


async def say(here: Town, to: GatewayProcess, text: str, chat: str = "oc_1") -> Said:
    return await here.lark.say(to.lark_webhook, chat=chat, user=f"ou_{chat}", text=text)


async def routed(gateway: GatewayProcess, *, there: bool) -> None:
    """Until this replica hosts the bot, or does not any more: within 2 s of the change."""
    async with asyncio.timeout(2.5), aiohttp.ClientSession() as http:
        while True:
            async with http.post(gateway.lark_webhook, data=b"{}") as answer:
                if (answer.status != 404) is there:
                    return
            await asyncio.sleep(0.05)


async def test_what_is_made_at_one_replica_answers_at_the_other_within_two_seconds(tmp_path: Path) -> None:
    async with managed(tmp_path) as here:
        (other,) = here.others
        await routed(other, there=False)
        status, made = await ask(here.gateway, "POST", "/bots", assistant(here))
        assert (status, made["state"]) == (201, "ready"), made
        await routed(other, there=True)
        said = await say(here, other, "hello")
        await here.answered([said], lambda: here.lark.chat("oc_1"))
        status, _ = await ask(other, "DELETE", "/bots/assistant", version=1)
        assert status == 204
        await routed(here.gateway, there=False)


async def test_a_change_drops_no_reply_that_is_running_and_doubles_none(tmp_path: Path) -> None:
    async with managed(tmp_path) as here:
        (other,) = here.others
        _, made = await ask(here.gateway, "POST", "/bots", assistant(here))
        await routed(other, there=True)
        said = [await say(here, other, "one"), await say(here, other, "two")]
        await until(lambda: bool(replies(lambda: here.lark.chat("oc_1"))), 10)
        version = int(made["version"])
        for change in ({"stream": False}, {"stream": True}, {"locale": "zh"}, {"when_busy": "merge"}):
            status, changed = await ask(here.gateway, "PATCH", "/bots/assistant", change, version=version)
            assert status == 200, changed
            version = int(changed["version"])
        await here.answered(said, lambda: here.lark.chat("oc_1"))
        said.append(await say(here, here.gateway, "three"))
        await here.answered(said, lambda: here.lark.chat("oc_1"))
        assert len(here.model.calls_made) == 3, "no model was asked twice"


async def test_what_waits_for_a_bot_that_is_removed_at_one_replica_is_told_so_by_the_other(
    tmp_path: Path,
) -> None:
    async with managed(tmp_path) as here:
        (other,) = here.others
        await ask(here.gateway, "POST", "/bots", assistant(here))
        await routed(other, there=True)
        said = [await say(here, other, text) for text in ("one", "two", "three")]
        await until(lambda: bool(replies(lambda: here.lark.chat("oc_1"))), 10)
        status, _ = await ask(here.gateway, "DELETE", "/bots/assistant", version=1)
        assert status == 204
        await routed(other, there=False)

        def shown() -> list[str]:
            return [one.text for one in replies(lambda: here.lark.chat("oc_1"))]

        await until(lambda: len(shown()) == len(said), 30, shown)
        answer, *notices = shown()
        assert answer == here.model.expected_answer("one"), "what was being said is said"
        assert all("switched off" in notice for notice in notices), notices
        assert len(here.model.calls_made) == 1


async def test_of_two_admins_at_two_replicas_one_makes_the_bot_and_one_the_change(tmp_path: Path) -> None:
    async with managed(tmp_path) as here:
        both = (here.gateway, *here.others)
        made = await asyncio.gather(*(ask(one, "POST", "/bots", assistant(here)) for one in both))
        assert sorted(status for status, _ in made) == [201, 409]
        changed = await asyncio.gather(
            *(
                ask(one, "PATCH", "/bots/assistant", {"max_replies": most}, version=1)
                for most, one in enumerate(both, 1)
            )
        )
        assert sorted(status for status, _ in changed) == [200, 412]
        agent = {"id": "clever", "provider": "echo"}
        assert (await ask(both[0], "POST", "/agents", agent))[0] == 201
        status, _ = await ask(both[1], "PATCH", "/bots/assistant", {"agent": "clever"}, version=2)
        assert status == 200, "the other replica made its agent a moment ago"
        status, told = await ask(both[0], "DELETE", "/agents/clever", version=1)
        assert (status, "assistant" in str(told)) == (409, True)
        said = await say(here, both[0], "echo, please")
        await here.answered([said], lambda: here.lark.chat("oc_1"), ["echo, please"])


def with_keys(folder: Path, keys: str) -> None:
    for config in folder.rglob("turnkeeper.yaml"):
        written = yaml.safe_load(config.read_text(encoding="utf-8"))
        config.write_text(yaml.safe_dump({**written, "secrets_key": keys}), encoding="utf-8")


@pytest.mark.timeout(180)
async def test_keys_are_rotated_while_people_talk_and_every_message_is_answered_once(tmp_path: Path) -> None:
    async with managed(tmp_path) as here:
        both = [here.gateway, *here.others]
        await ask(here.gateway, "POST", "/bots", assistant(here))
        await routed(both[1], there=True)
        restarting: GatewayProcess | None = None
        said: dict[str, list[Said]] = {}
        enough = asyncio.Event()

        async def talk() -> None:
            """As behind a load balancer: whoever is being restarted gets nothing new."""
            number = 0
            while not enough.is_set():
                up = next(one for one in both if one is not restarting)
                chat = f"oc_{number % 8}"
                said.setdefault(chat, []).append(await say(here, up, f"message {number}", chat))
                number += 1
                await asyncio.sleep(0.15)

        async def restart_with(keys: str) -> None:
            nonlocal restarting
            with_keys(tmp_path, keys)
            for one in both:
                restarting = one
                one.signal(signal.SIGTERM)
                assert await one.ended() == 0
                await one.start()
                restarting = None

        async with asyncio.TaskGroup() as people:
            people.create_task(talk())
            await restart_with(f"{NEW},{OLD}")
            status, done = await ask(here.gateway, "POST", "/secrets/rotate")
            assert (status, done["resealed"], done["unreadable"]) == (200, 4, []), done
            await restart_with(NEW)
            enough.set()
        for chat, messages in said.items():
            await here.answered(messages, lambda c=chat: here.lark.chat(c), within=60)  # type: ignore[misc]
        assert sum(map(len, said.values())) > 20
        with_keys(tmp_path, OLD)
        both[1].signal(signal.SIGTERM)
        await both[1].ended()
        with pytest.raises(GatewayDiedError) as caught:
            await both[1].start()
        assert "secrets_key is not the key of this store" in caught.value.log
