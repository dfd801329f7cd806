"""A Redis 6.2 as far as a gateway meets it: it answers the greeting, and knows no functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_HELLO = b"%3\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n$5\r\nproto\r\n:3\r\n"


@asynccontextmanager
async def old_redis() -> AsyncIterator[str]:
    """Its address."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(_answer(await _command(reader)))
    except asyncio.IncompleteReadError:
        writer.close()


async def _command(reader: asyncio.StreamReader) -> list[bytes]:
    words = []
    for _ in range(await _number(reader, b"*")):
        length = await _number(reader, b"$")
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


async def _number(reader: asyncio.StreamReader, sign: bytes) -> int:
    line = await reader.readuntil(b"\r\n")
    assert line.startswith(sign)
    return int(line[1:])


def _answer(words: list[bytes]) -> bytes:
    match words[0].upper(), words[1:]:
        case b"HELLO", _:
            return _HELLO
        case b"CLIENT", [b"SETNAME", _]:
            return b"+OK\r\n"
        case b"CLIENT", [what, *_]:
            return (
                b"-ERR Unknown subcommand or wrong number of arguments for '%b'. Try CLIENT HELP.\r\n" % what
            )
        case name, rest:
            quoted = b" ".join(b"`%b`," % word[:128] for word in rest)
            text = b"-ERR unknown command `%b`, with args beginning with: %b " % (name, quoted)
            return text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\r\n"
