"""The real gateway in this process, between stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp.test_utils import TestServer

from conversation.stores.memory import MemoryStore
from gateway.settings import load
from gateway.wiring import Gateway, build
from tests.ports import free_port

KEY = "a-secrets-key-of-the-tests"
TOKEN = "an-admin-token-of-the-tests"


@dataclass
class Running:
    gateway: Gateway
    url: str

    @property
    def store(self) -> MemoryStore:
        assert isinstance(self.gateway.store, MemoryStore)
        return self.gateway.store


@asynccontextmanager
async def running(folder: Path, *bots: dict[str, Any], **more: Any) -> AsyncIterator[Running]:
    """``more``: further sections of the configuration; None takes one away."""
    port = free_port()
    written = {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "store": {"url": "memory:"},
        "admin": {"token": TOKEN},
        "secrets_key": KEY,
        "agents": [{"id": "default", "provider": "echo"}],
        "bots": [{"agent": "default", **bot} for bot in bots],
        **more,
    }
    path = folder / "turnkeeper.yaml"
    path.write_text(
        yaml.safe_dump({key: value for key, value in written.items() if value is not None}), encoding="utf-8"
    )
    async with build(load(path, {})) as gateway:
        started = asyncio.Event()
        background = asyncio.create_task(gateway.background(started))
        try:
            await started.wait()
            async with TestServer(gateway.app, port=port):
                yield Running(gateway, f"http://127.0.0.1:{port}")
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
