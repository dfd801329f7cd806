"""The real gateway with the strict stand-ins of both platforms, and its admin's services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp.test_utils import TestServer

from conversation.stores.memory import MemoryStore
from gateway.admin.access import Principal
from gateway.admin.administration import Administration
from gateway.admin.selftest import STEPS, TestFinding
from gateway.demo.lark import LarkStandin
from gateway.demo.slack import SlackStandin
from gateway.settings import load
from gateway.tracing.port import Tracing
from gateway.wiring import build
from tests.ports import free_port

ADMIN = Principal("ada", "admin")
SECRET, TOKEN = "made-up-signing-secret", "xoxb-made-up"
APP_ID, APP_SECRET, KEY = "cli_made_up", "made-up-secret", "made-up-key"


@dataclass
class Town:
    admin: Administration
    store: MemoryStore
    slack: SlackStandin
    lark: LarkStandin
    webhooks: str

    async def test(self, bot: str) -> dict[str, TestFinding]:
        """The last finding of each step."""
        found = [one async for one in self.admin.selftest.run(ADMIN, bot)]
        assert [one.step for one in found] == sorted((one.step for one in found), key=STEPS.index)
        return {one.step: one for one in found}


@asynccontextmanager
async def town(
    folder: Path,
    *,
    public: bool = True,
    agent: dict[str, str] | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Town]:
    port = free_port()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandin(signing_secret=SECRET, bot_token=TOKEN, redeliver=False, latency=0)
        )
        lark = await stack.enter_async_context(
            LarkStandin(app_id=APP_ID, app_secret=APP_SECRET, encrypt_key=KEY, redeliver=False, latency=0)
        )
        written = {
            "server": {"port": port} | ({"public_url": f"http://127.0.0.1:{port}"} if public else {}),
            "store": {"url": "memory:"},
            "admin": {"token": "an-admin-token-of-the-tests"},
            "secrets_key": "a-secrets-key-of-the-tests",
            "agents": [{"id": "default", "provider": "echo", **(agent or {})}],
        }
        path = folder / "turnkeeper.yaml"
        path.write_text(yaml.safe_dump(written), encoding="utf-8")
        gateway = await stack.enter_async_context(build(load(path, {}), tracing=tracing))
        assert gateway.administration is not None
        started = asyncio.Event()
        background = asyncio.create_task(gateway.background(started))
        stack.callback(background.cancel)
        await started.wait()
        await stack.enter_async_context(TestServer(gateway.app, port=port))
        assert isinstance(gateway.store, MemoryStore)
        yield Town(gateway.administration, gateway.store, slack, lark, f"http://127.0.0.1:{port}/webhooks")
        background.cancel()
        await asyncio.gather(background, return_exceptions=True)


async def add_slack(town: Town, **more: Any) -> None:
    await town.admin.bots.create(
        ADMIN,
        {
            "id": "helpdesk",
            "channel": "slack",
            "agent": "default",
            "api_base_url": town.slack.api_base_url,
            "credentials": {"signing_secret": SECRET, "bot_token": TOKEN},
            **more,
        },
    )


async def add_lark(town: Town, **credentials: str) -> None:
    await town.admin.bots.create(
        ADMIN,
        {
            "id": "assistant",
            "channel": "lark",
            "agent": "default",
            "api_base_url": town.lark.api_base_url,
            "credentials": {"app_id": APP_ID, "app_secret": APP_SECRET, "encrypt_key": KEY, **credentials},
        },
    )
