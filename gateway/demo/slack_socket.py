"""Slack's end of Socket Mode: connections that an app opened, and the envelopes that wait for their acknowledgement
(docs: apis/events-api/using-socket-mode).
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import orjson
from aiohttp import WSMsgType, web

from gateway.demo.people import ACK_DEADLINE, NO_ANSWER
from gateway.demo.slack_blocks import Json

SOCKET = "socket:"
"""Instead of a webhook's URL: the event comes by whichever connection the app has open."""

MOST_CONNECTIONS = 10


class Connection:
    """``unanswered`` has a future for each envelope."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.request = request
        self.leaving = False
        self.unanswered: dict[str, asyncio.Future[bytes]] = {}


class SocketHub:
    def __init__(self, complain: Callable[[str], None], chance: random.Random) -> None:
        self._complain = complain
        self._chance = chance
        self._tickets: set[str] = set()
        self.connections: list[Connection] = []
        self.opened = 0
        """Connections that were greeted, since the start."""
        self.changed = asyncio.Event()

    def ticket(self) -> str:
        """For one connection."""
        made = uuid.uuid4().hex
        self._tickets.add(made)
        return made

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """A connection from its greeting to its end."""
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets:
            self._complain("a socket was opened with a ticket that was used before")
            raise web.HTTPForbidden
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = Connection(socket, request)
        self.connections.append(connection)
        self.opened += 1
        await socket.send_json({"type": "hello", "num_connections": len(self.connections)})
        self._tell()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(connection, orjson.loads(message.data))
        finally:
            self.connections.remove(connection)
            for waiting in connection.unanswered.values():
                if not waiting.done():
                    waiting.cancel()
            self._tell()
        return socket

    async def connected(self, count: int = 1) -> None:
        """Wait until an app has so many connections."""
        while len([one for one in self.connections if not one.leaving]) < count:
            await self.changed.wait()

    async def refresh(self) -> None:
        """Ask for every connection to be renewed; Slack would close it about ten seconds later."""
        for connection in list(self.connections):
            connection.leaving = True
            await connection.socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

    def cut(self) -> None:
        """Let every connection break without a word."""
        for connection in self.connections:
            if connection.request.transport is not None:
                connection.request.transport.abort()

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.socket.close()

    async def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Send what a webhook would have held; 200 and the payload of its acknowledgement, or NO_ANSWER."""
        live = [one for one in self.connections if not one.leaving and not one.socket.closed]
        if not live:
            return NO_ANSWER, "", b""
        connection = self._chance.choice(live)
        envelope = _envelope(headers, body)
        id = str(envelope["envelope_id"])
        waiting = connection.unanswered[id] = asyncio.get_running_loop().create_future()
        try:
            await connection.socket.send_json(envelope)
            async with asyncio.timeout(ACK_DEADLINE):
                return 200, "", await asyncio.shield(waiting)
        except (ConnectionError, TimeoutError):
            return NO_ANSWER, "", b""
        except asyncio.CancelledError:
            if waiting.cancelled():  # the connection broke
                return NO_ANSWER, "", b""
            raise

    def _acknowledge(self, connection: Connection, message: Json) -> None:
        id = str(message.get("envelope_id"))
        waiting = connection.unanswered.get(id)
        if waiting is None:
            self._complain(f"{id} was acknowledged on a connection that did not bring it")
        elif waiting.done():
            self._complain(f"{id} was acknowledged twice")
        else:
            waiting.set_result(orjson.dumps(message.get("payload") or {}))

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


def _envelope(headers: Mapping[str, str], body: bytes) -> Json:
    envelope: Json = {"envelope_id": str(uuid.uuid4()), "accepts_response_payload": False}
    if "form" not in headers["Content-Type"]:
        return envelope | {"type": "events_api", "payload": orjson.loads(body), "retry_attempt": 0}
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
    envelope["accepts_response_payload"] = True
    if "payload" in fields:
        return envelope | {"type": "interactive", "payload": orjson.loads(fields["payload"])}
    return envelope | {"type": "slash_commands", "payload": fields}
