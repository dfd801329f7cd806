"""The platform's end of the long connection: where it is asked for, its frames, and events that wait for answers.

Frames are protocol buffers of lark-oapi's ``pbbp2.proto``, of which so much is written and read here as is used.
"""

from __future__ import annotations

import asyncio
import base64
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson
from aiohttp import WSMsgType, web

from gateway.demo.lark_rules import Json
from gateway.demo.people import ACK_DEADLINE, NO_ANSWER

LONG_CONNECTION = "long-connection:"
"""Instead of a webhook's URL: the event comes by one of the app's connections."""

MOST_CONNECTIONS = 50

_VARINT, _BYTES = 0, 2
_CONTROL, _DATA = 0, 1
_SERVICE, _METHOD, _HEADERS, _PAYLOAD = 3, 4, 5, 8


@dataclass(slots=True)
class Frame:
    method: int
    headers: dict[str, str] = field(default_factory=dict)
    payload: bytes = b""

    def written(self) -> bytes:
        numbers = b"".join(_tag(name, _VARINT) + _varint(value) for name, value in ((1, 0), (2, 0), (3, 1)))
        headers = b"".join(
            _chunk(_HEADERS, _chunk(1, key.encode()) + _chunk(2, value.encode()))
            for key, value in self.headers.items()
        )
        return (
            numbers + _tag(_METHOD, _VARINT) + _varint(self.method) + headers + _chunk(_PAYLOAD, self.payload)
        )

    @classmethod
    def read(cls, raw: bytes) -> Frame:
        frame = cls(_CONTROL)
        for number, value in _fields(raw):
            if number == _METHOD and isinstance(value, int):
                frame.method = value
            elif number == _PAYLOAD and isinstance(value, bytes):
                frame.payload = value
            elif number == _HEADERS and isinstance(value, bytes):
                pair = {key: part for key, part in _fields(value) if isinstance(part, bytes)}
                frame.headers[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
        return frame


class LongConnections:
    def __init__(
        self, app: Callable[[str, str], bool], complain: Callable[[str], None], chance: random.Random
    ) -> None:
        self._app = app
        self._complain = complain
        self._chance = chance
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._unanswered: dict[str, tuple[web.WebSocketResponse, asyncio.Future[tuple[int, bytes]]]] = {}
        self.opened = 0
        self.changed = asyncio.Event()
        self.parts = 1
        """Into how many frames an event is cut."""

    @property
    def count(self) -> int:
        return len(self._sockets)

    async def endpoint(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        if not self._app(asked.get("AppID", ""), asked.get("AppSecret", "")):
            return web.json_response({"code": 1000040345, "msg": "app_id or app_secret is invalid"})
        url = f"ws://{request.host}/long-connection?device_id={uuid.uuid4().hex}&service_id=1"
        config = {"ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 120}
        return web.json_response({"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": config}})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if len(self._sockets) >= MOST_CONNECTIONS:
            headers = {
                "handshake-status": "514",
                "handshake-msg": "too many",
                "handshake-autherrcode": "1000040350",
            }
            return web.Response(status=403, headers=headers)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets[socket] = request
        self.opened += 1
        self._tell()
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    await self._received(socket, Frame.read(message.data))
        finally:
            del self._sockets[socket]
            for on, answer in self._unanswered.values():
                if on is socket and not answer.done():
                    answer.set_result((NO_ANSWER, b""))
            self._tell()
        return socket

    async def connected(self, count: int = 1) -> None:
        while len(self._sockets) < count:
            await self.changed.wait()

    def cut(self) -> None:
        """Let every connection break without a word."""
        for request in self._sockets.values():
            if request.transport is not None:
                request.transport.abort()

    async def close(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    async def post(self, payload: Json) -> tuple[int, str, bytes]:
        """Send an event by one connection: status and body of its answer, or NO_ANSWER."""
        live = [socket for socket in self._sockets if not socket.closed]
        if not live:
            return NO_ANSWER, "", b""
        socket, id = self._chance.choice(live), uuid.uuid4().hex
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._unanswered[id] = socket, answer
        raw = orjson.dumps(payload)
        size = -(-len(raw) // self.parts)
        try:
            for number in range(self.parts):
                headers = {
                    "type": "event",
                    "message_id": id,
                    "trace_id": id,
                    "sum": str(self.parts),
                    "seq": str(number),
                }
                await socket.send_bytes(
                    Frame(_DATA, headers, raw[number * size : (number + 1) * size]).written()
                )
            async with asyncio.timeout(ACK_DEADLINE):
                status, body = await answer
        except (ConnectionError, TimeoutError):
            return NO_ANSWER, "", b""
        else:
            return status, "", body
        finally:
            del self._unanswered[id]

    async def _received(self, socket: web.WebSocketResponse, frame: Frame) -> None:
        if frame.method == _CONTROL:
            await socket.send_bytes(Frame(_CONTROL, {"type": "pong"}).written())
            return
        _, answer = self._unanswered.get(frame.headers.get("message_id", ""), (None, None))
        if answer is None:
            return  # too late
        if answer.done():
            self._complain("an event was answered twice")
            return
        said = orjson.loads(frame.payload)
        answer.set_result((int(said["code"]), base64.b64decode(said.get("data") or "")))

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _chunk(number: int, value: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(value)) + value


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                return value
            shift += 7

    while at < len(raw):
        tag = varint()
        if tag & 7 == _VARINT:
            yield tag >> 3, varint()
        else:
            length = varint()
            yield tag >> 3, raw[at : at + length]
            at += length
