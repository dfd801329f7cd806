"""Platforms and models are reached through a forward proxy, where the environment names one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.concrete import connections

# Names that nobody has: only a proxy can answer for them.
MODEL, INSIDE = "http://model.invalid/v1/models", "http://vllm.models.invalid/v1/models"


@asynccontextmanager
async def forward_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """Its address, and what it was asked for."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().split()[1])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with forward_proxy() as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", address)
        async with connections() as http, http.get(MODEL) as response:
            assert await response.text() == "ok"
    assert asked == [MODEL]


async def test_hosts_of_no_proxy_are_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with forward_proxy() as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", address)
        monkeypatch.setenv("NO_PROXY", ".models.invalid")
        async with connections() as http:
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(INSIDE)
    assert asked == []


async def test_without_one_nobody_looks_for_a_proxy_or_a_netrc() -> None:
    async with connections() as http:
        assert not http.trust_env
