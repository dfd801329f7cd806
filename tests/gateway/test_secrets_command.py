"""``turnkeeper secrets rotate`` with real processes: beside a gateway that runs, and where none does."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest

from gateway.demo.gateway_process import GatewayDiedError
from gateway.keyring import Keyring
from tests.gateway.letters import TOKEN
from tests.town import Town, reconfigure, town

OLD, NEW = "an-old-key-of-the-tests", "a-new-key-of-the-tests"
CREDENTIALS = {"signing_secret": "marzipan-1", "bot_token": "marzipan-2"}


async def rotate(folder: Path, *options: str) -> tuple[int, str, str]:
    config = str(folder / "turnkeeper.yaml")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "secrets", "rotate", "--config", config, *options),
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def restart(here: Town) -> None:
    here.gateway.signal(signal.SIGTERM)
    assert await here.gateway.ended() == 0
    await here.gateway.start()


async def make_bot(here: Town) -> None:
    bot = {"id": "second", "channel": "slack", "agent": "default", "credentials": CREDENTIALS}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http,
        http.post(f"{here.gateway.url}/api/v1/bots", json=bot) as answer,
    ):
        assert answer.status == 201


@pytest.mark.timeout(180)
async def test_a_key_is_replaced_step_by_step_and_each_wrong_step_is_told(tmp_path: Path) -> None:
    config, new = tmp_path / "turnkeeper.yaml", Keyring.parse(NEW).key_id
    async with town(tmp_path, settings={"admin": {"token": TOKEN}, "secrets_key": OLD}) as here:
        await make_bot(here)

        reconfigure(config, {"secrets_key": f"{NEW},{OLD}"})
        code, output, errors = await rotate(tmp_path)
        assert (code, output) == (1, "")
        assert "restart every gateway with this configuration, and rotate again" in errors

        await restart(here)
        assert await rotate(tmp_path) == (0, f"sealed anew with key {new}: 2; sealed with it before: 0\n", "")
        code, output, _ = await rotate(tmp_path, "--json")
        assert json.loads(output) == {"key": new, "resealed": 0, "current": 2, "unreadable": []}

        reconfigure(config, {"secrets_key": NEW})
        here.gateway.signal(signal.SIGTERM)
        await here.gateway.ended()
        assert await rotate(tmp_path) == (0, f"sealed anew with key {new}: 0; sealed with it before: 2\n", "")

        reconfigure(config, {"secrets_key": OLD})
        code, output, errors = await rotate(tmp_path)
        assert (code, output, errors.count("\n")) == (1, "", 1)
        assert "secrets_key is not the key of this store" in errors
        with pytest.raises(GatewayDiedError) as died:
            await here.gateway.start()
        (line,) = [one for one in died.value.log.splitlines() if "secrets_key" in one]
        assert "give the key that was used before too" in line
        assert "Traceback" not in died.value.log
        log = (tmp_path / "gateway.log").read_text()
        for secret in (*CREDENTIALS.values(), OLD, NEW):
            assert secret not in log + errors


async def test_without_a_key_there_is_nothing_to_rotate_and_that_is_said(tmp_path: Path) -> None:
    async with town(tmp_path, settings={"admin": {"token": TOKEN}}):
        code, output, errors = await rotate(tmp_path)
        assert (code, output, errors.count("\n")) == (1, "", 1)
        assert "secrets_key is not configured; set it" in errors
