"""The real gateway, with what an admin is told to begin with: a token and a secrets key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml

from tests.console.visitor import SECRETS_KEY, TOKEN
from tests.ports import free_port


@dataclass(frozen=True)
class Served:
    """``url`` is for platforms, ``admin`` for admins."""

    url: str
    admin: str


@asynccontextmanager
async def serving(folder: Path, **sections: object) -> AsyncIterator[Served]:
    """``turnkeeper serve`` on an empty store, until the context ends."""
    served = Served(f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")
    settings = {
        "server": {"port": int(served.url.rpartition(":")[2]), "public_url": served.url},
        "admin": {"listen": served.admin.removeprefix("http://"), "token": TOKEN},
        "secrets_key": SECRETS_KEY,
        "store": {"url": f"sqlite:///{folder / 'turnkeeper.db'}"},
        "drain": "2s",
        **sections,
    }
    config = folder / "turnkeeper.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    with (folder / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", str(config)), stdout=log, stderr=log
        )
    try:
        await _ready(served, process, folder)
        yield served
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(served: Served, process: asyncio.subprocess.Process, folder: Path) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{served.url}/readyz") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                assert process.returncode is None, (folder / "gateway.log").read_text(encoding="utf-8")
            await asyncio.sleep(0.05)
