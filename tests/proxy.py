"""A network that can be made bad: a TCP proxy between one client and one server, on loopback.

Invariants: bytes are never reordered nor changed; what a bad network withheld arrives late, when it is mended,
or is lost with its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, Self

Network = Literal["good", "slow", "cut", "stalled", "half open"]
"""``slow``: everything takes longer. ``cut``: connections are reset, new ones too. ``stalled``: connections stand
and nothing passes. ``half open``: what the client sends arrives, and no answer comes back."""

_CHUNK = 65536


class Proxy:
    """Listens within ``async with``. ``source`` is the address that the server sees, of new connections."""

    def __init__(self, target: int, *, source: str = "127.0.0.1") -> None:
        self.source = source
        self._target = target
        self._network: Network = "good"
        self._delay = 0.0
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """Those that stand."""
        return len(self._handlers)

    @property
    def network(self) -> Network:
        return self._network

    def become(self, network: Network, *, delay: float = 0.0) -> None:
        """From now on; ``delay`` in seconds is for ``slow``."""
        self._network = network
        self._delay = delay if network == "slow" else 0.0
        if network == "cut":
            for writer in tuple(self._open):
                _reset(writer)
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.get_running_loop().create_task(self._join(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._kept(writer), contextlib.suppress(OSError):
            if self._network == "cut":
                _reset(writer)
                return
            there, back = await asyncio.open_connection(
                "127.0.0.1", self._target, local_addr=(self.source, 0)
            )
            with self._kept(back):
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, back, answers=False))
                    both.create_task(self._pump(there, writer, answers=True))

    @contextlib.contextmanager
    def _kept(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                while self._network == "stalled" or (answers and self._network == "half open"):
                    await self._changed.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()
            if not answers:
                writer.write_eof()
        if answers:
            writer.close()  # a server that ended a connection, or died, has said all it will say


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a RST, not with the FIN of a server that has nothing more to say."""
    at_once = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):  # it may have ended by itself
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
