"""The gateway that the demonstration runs: a process of its own, started as an operator would.

Invariant: no process outlives ``async with``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import yaml

READY_WITHIN = 60.0
"""Seconds. A start costs about a second of CPU, and tests start many on a busy machine."""

_ASKED_AGAIN_AFTER = aiohttp.ClientTimeout(total=2.0)

STOPPED_WITHIN = 10.0
LOG_LINES = 15


class GatewayDiedError(Exception):
    """The gateway ended, or never became ready. ``log`` is the end of what it wrote."""

    def __init__(self, sentence: str, log: str) -> None:
        super().__init__(sentence)
        self.log = log
        self.add_note(log)


def _token(prefix: str = "") -> str:
    return prefix + secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Made up for one run."""

    signing_secret: str = field(default_factory=_token)
    bot_token: str = field(default_factory=lambda: _token("xoxb-"))
    app_id: str = field(default_factory=lambda: _token("cli_"))
    app_secret: str = field(default_factory=_token)
    encrypt_key: str = field(default_factory=_token)
    verification_token: str = field(default_factory=_token)
    model_key: str = field(default_factory=lambda: _token("sk-"))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the stand-ins serve."""

    slack: str
    lark: str
    model: str


class GatewayProcess:
    """``directory`` holds configuration, store and log. ``source``: the code of another version."""

    def __init__(
        self, directory: Path, credentials: Credentials, addresses: Addresses, source: Path | None = None
    ) -> None:
        self._source = source
        self._log = directory / "gateway.log"
        self._config = directory / "turnkeeper.yaml"
        reserved = reserve_port()
        weakref.finalize(self, reserved.close)
        self._url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        self._config.write_text(
            yaml.safe_dump(_settings(directory, self._url, credentials, addresses), allow_unicode=True),
            encoding="utf-8",
        )
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a slash at the end."""
        return self._url

    @property
    def slack_webhook(self) -> str:
        return f"{self._url}/webhooks/slack/helpdesk"

    @property
    def lark_webhook(self) -> str:
        return f"{self._url}/webhooks/lark/assistant"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOPPED_WITHIN):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def start(self) -> None:
        """Start it and return when it is ready. Raises GatewayDiedError."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                "serve",
                "--config",
                str(self._config),
                # The stand-ins are on this machine.
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **_importing(self._source)},
                cwd=self._source,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as session:
                while not await self._ready(session):
                    if self._process.returncode is not None:
                        raise self.died()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise GatewayDiedError(
                f"The gateway was not ready within {READY_WITHIN:g} s.", self._last_lines()
            ) from None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL: it gets no chance to put anything in order."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def died(self) -> GatewayDiedError:
        """The error that says how the process ended."""
        code = self._process.returncode if self._process is not None else None
        return GatewayDiedError(f"The gateway ended by itself, with exit code {code}.", self._last_lines())

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self._url}/readyz", timeout=_ASKED_AGAIN_AFTER) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _last_lines(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


def _settings(directory: Path, url: str, credentials: Credentials, addresses: Addresses) -> dict[str, object]:
    """The configuration file's contents."""
    return {
        "server": {"host": "127.0.0.1", "port": int(url.rpartition(":")[2])},
        "store": {"url": f"sqlite:///{directory / 'turnkeeper.db'}"},
        "drain": "5s",
        "agents": [
            {
                "id": "default",
                "provider": "openai",
                "model": "demo-model",
                "base_url": addresses.model,
                "api_key": credentials.model_key,
            }
        ],
        "bots": [
            {
                "id": "helpdesk",
                "channel": "slack",
                "agent": "default",
                "api_base_url": addresses.slack,
                "credentials": {
                    "signing_secret": credentials.signing_secret,
                    "bot_token": credentials.bot_token,
                },
            },
            {
                "id": "assistant",
                "channel": "lark",
                "agent": "default",
                "api_base_url": addresses.lark,
                "credentials": {
                    "app_id": credentials.app_id,
                    "app_secret": credentials.app_secret,
                    "encrypt_key": credentials.encrypt_key,
                    "verification_token": credentials.verification_token,
                },
            },
        ],
    }


def _importing(source: Path | None) -> dict[str, str]:
    return {} if source is None else {"PYTHONPATH": str(source)}


def reserve_port() -> socket.socket:
    """A port of this machine that goes to nobody, as listener or as a connection's own end, but to a process that
    asks for it by number; so it stays the gateway's from one start to the next.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved
