"""A network that is made bad does what its name says."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from tests.proxy import Proxy
from tests.waiting import until


class EchoServer:
    """Answers every line with itself; ``heard`` holds what came, ``callers`` from which addresses."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.callers: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(writer.get_extra_info("peername")[0])
        while line := await reader.readline():
            self.heard.append(line)
            writer.write(line)
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[EchoServer, Proxy]]:
    served = EchoServer()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield served, proxy
    server.close()
    await server.wait_closed()


async def says(proxy: Proxy, line: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(line)
    return reader, writer


async def test_a_good_network_carries_both_ways_and_names_its_source(echo: tuple[EchoServer, Proxy]) -> None:
    served, proxy = echo
    proxy.source = "127.3.0.1"
    reader, writer = await says(proxy, b"hello\n")
    assert await reader.readline() == b"hello\n"
    assert served.callers == ["127.3.0.1"]
    writer.close()


async def test_a_slow_one_takes_longer(echo: tuple[EchoServer, Proxy]) -> None:
    _, proxy = echo
    proxy.become("slow", delay=0.1)
    began = time.monotonic()
    reader, writer = await says(proxy, b"hello\n")
    assert await reader.readline() == b"hello\n"
    assert time.monotonic() - began >= 0.2
    writer.close()


async def test_a_cut_one_resets_what_stands_and_what_comes(echo: tuple[EchoServer, Proxy]) -> None:
    served, proxy = echo
    reader, writer = await says(proxy, b"hello\n")
    assert await reader.readline() == b"hello\n"
    proxy.become("cut")
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    reader, writer = await says(proxy, b"again\n")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    assert served.heard == [b"hello\n"]


async def test_a_stalled_one_delivers_late(echo: tuple[EchoServer, Proxy]) -> None:
    served, proxy = echo
    proxy.become("stalled")
    reader, writer = await says(proxy, b"hello\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.2)
    assert served.heard == []
    writer.close()  # its sender has given up, and still it arrives
    proxy.become("good")
    await until(lambda: served.heard == [b"hello\n"], 5)


async def test_a_half_open_one_carries_what_is_asked_and_not_the_answer(
    echo: tuple[EchoServer, Proxy],
) -> None:
    served, proxy = echo
    proxy.become("half open")
    reader, writer = await says(proxy, b"hello\n")
    await until(lambda: served.heard == [b"hello\n"], 5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    writer.close()


async def test_a_server_that_dies_is_noticed() -> None:
    async def die(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    server = await asyncio.start_server(die, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await says(proxy, b"hello\n")
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
