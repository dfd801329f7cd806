"""Socket Mode: Slack's events over a WebSocket that we open, for who has no public address (docs:
apis/events-api/using-socket-mode).

Invariants:

- an envelope is acknowledged only after what it holds was answered 2xx, and thus is durable; one that was not is sent
  again by Slack, on this connection or another;
- at most ``MOST_AT_ONCE`` envelopes are being taken, and no more are read meanwhile;
- when Slack wants a connection to be renewed, the new one stands before the old one ends.

slack_sdk's client is not used: it reads into a queue without bound, by tasks that nobody awaits, and logs what people
write at DEBUG.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import urlencode

import aiohttp
import orjson
import structlog
from pydantic import BaseModel, JsonValue, ValidationError

from channels.port import Finding, Take
from channels.received import NOTHING_TO_SAY, WebhookRequest
from channels.slack.verify import Verifier
from channels.slack.web_api import Call, WebApi
from conversation.clock import Clock
from conversation.outbound import SEND_TIMEOUT, DeliveryError

MOST_AT_ONCE = 100
"""Envelopes of one connection."""

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds between attempts to connect."""

STABLE_AFTER = 10.0
"""Seconds of a connection after which the next one is tried at once."""

HELLO_WITHIN = 15.0
"""Seconds in which Slack greets a new connection."""

HEARTBEAT = 15.0
"""Seconds between our pings; a connection that does not answer one in half of that is dead."""

OLD_FOR = 30.0
"""Seconds for which a connection that Slack wants renewed is still read; Slack closes it in about ten."""

ANSWERED_WITHIN = 3.0
"""Seconds in which what was received is acknowledged once the connection is to end."""

_OK = range(200, 300)

_log = structlog.get_logger()


class _Opened(BaseModel):
    url: str


class _Envelope(BaseModel):
    """``reason`` is of a ``disconnect``."""

    type: str
    envelope_id: str = ""
    reason: str = ""
    accepts_response_payload: bool = False
    payload: dict[str, JsonValue] = {}


class _NotConnectedError(Exception):
    """``cause`` is for the log."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class SocketMode:
    """``channels.port.Transport`` for one bot in this process; each replica has a connection of its own, and Slack
    takes ten for an app.
    """

    def __init__(
        self,
        bot: str,
        app_token: str,
        verifier: Verifier,
        http: aiohttp.ClientSession,
        base_url: str,
        clock: Clock,
    ) -> None:
        """``verifier`` signs what arrives, so that it is received as a webhook is."""
        self._bot = bot
        self._api = WebApi(app_token, http, base_url)
        self._verifier = verifier
        self._http = http
        self._clock = clock
        self._live = 0

    @property
    def connected(self) -> bool:
        return self._live > 0

    async def check(self) -> Finding:
        """Whether Slack would let this app connect. It counts as no connection."""
        try:
            await self._open()
        except DeliveryError as error:
            return Finding(
                "socket", ok=False, detail=f"{error}; is Socket Mode on, and has app_token connections:write?"
            )
        return Finding("socket", ok=True, detail="the app may connect")

    async def run(self, take: Take) -> None:
        async with asyncio.TaskGroup() as connections:
            retry = FIRST_RETRY
            while True:
                connection = _Connection(self._bot, self._http, self._request, take)
                try:
                    await connection.open((await self._open()).url)
                except (DeliveryError, _NotConnectedError) as error:
                    _log.warning("socket not connected", bot=self._bot, cause=str(error))
                    await asyncio.sleep(retry * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                    retry = min(2 * retry, LONGEST_RETRY)
                    continue
                _log.info("socket connected", bot=self._bot)
                began = asyncio.get_running_loop().time()
                connections.create_task(self._serve(connection), name=f"socket-{self._bot}")
                await connection.ending.wait()
                lived = asyncio.get_running_loop().time() - began
                if lived > STABLE_AFTER:
                    retry = FIRST_RETRY
                elif connection.ending_because != "refresh" or lived < FIRST_RETRY:
                    await asyncio.sleep(retry * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                    retry = min(2 * retry, LONGEST_RETRY)

    async def _serve(self, connection: _Connection) -> None:
        self._live += 1
        try:
            await connection.serve()
        finally:
            self._live -= 1
            _log.info("socket closed", bot=self._bot, cause=connection.ending_because or "told to")

    async def _open(self) -> _Opened:
        return await self._api.write(Call("apps.connections.open"), {}, _Opened)

    def _request(self, envelope: _Envelope) -> WebhookRequest | None:
        """What Slack would have posted."""
        kind = "application/x-www-form-urlencoded"
        match envelope.type:
            case "events_api":
                body, kind = orjson.dumps(envelope.payload), "application/json"
            case "slash_commands":
                body = urlencode({key: _text(value) for key, value in envelope.payload.items()}).encode()
            case "interactive":
                body = urlencode({"payload": orjson.dumps(envelope.payload).decode()}).encode()
            case _:
                return None
        now = self._clock.now()
        headers: Mapping[str, str] = {"Content-Type": kind, **self._verifier.signed(body, now)}
        return WebhookRequest(headers, body, now)


class _Connection:
    """One WebSocket from its opening to its end. ``ending`` is set when another is wanted in its place."""

    def __init__(self, bot: str, http: aiohttp.ClientSession, request: _MakeRequest, take: Take) -> None:
        self._bot = bot
        self._http = http
        self._request = request
        self._take = take
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._answering: set[asyncio.Task[None]] = set()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.ending = asyncio.Event()
        self.ending_because: Literal["", "refresh", "link_disabled", "lost"] = ""

    async def open(self, url: str) -> None:
        """Returns when Slack has said hello. Raises _NotConnectedError."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                self._socket = await self._http.ws_connect(url, heartbeat=HEARTBEAT)
            async with asyncio.timeout(HELLO_WITHIN):
                first = _envelope(await self._socket.receive_str())
        except (aiohttp.ClientError, TimeoutError, ValueError, TypeError) as error:
            # Without the cause's text: it holds the address, and that a ticket.
            await self._hang_up()
            raise _NotConnectedError(type(error).__name__) from None
        except asyncio.CancelledError:
            await self._hang_up()
            raise
        if first is None or first.type != "hello":
            await self._hang_up()
            raise _NotConnectedError(first.reason or first.type if first else "unreadable greeting")

    async def serve(self) -> None:
        """Until the connection ends. Cancelled, it receives nothing more and acknowledges what it received."""
        assert self._socket is not None
        try:
            await self._read(self._socket)
        finally:
            self._end("lost")
            if self._answering:
                await asyncio.wait(self._answering, timeout=ANSWERED_WITHIN)
            for late in self._answering:
                late.cancel()
            await self._hang_up()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        deadline: float | None = None
        while True:
            await self._room.acquire()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await socket.receive()
            except TimeoutError:
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                return  # closed, broken, or no JSON
            envelope = _envelope(message.data)
            if envelope is not None and envelope.type == "disconnect":
                self._end("link_disabled" if envelope.reason == "link_disabled" else "refresh")
                deadline = asyncio.get_running_loop().time() + OLD_FOR
            request = None if envelope is None else self._request(envelope)
            if envelope is None or request is None:
                self._room.release()
                continue
            task = asyncio.create_task(self._answer(socket, envelope, request), name=f"envelope-{self._bot}")
            self._answering.add(task)
            task.add_done_callback(self._answered)

    async def _answer(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: _Envelope, request: WebhookRequest
    ) -> None:
        reply = await self._take(request)
        if reply.status not in _OK:
            return  # Slack sends it again
        acknowledged: dict[str, JsonValue] = {"envelope_id": envelope.envelope_id}
        if envelope.accepts_response_payload and reply.body not in (b"", NOTHING_TO_SAY):
            acknowledged["payload"] = orjson.loads(reply.body)
        try:
            await socket.send_str(orjson.dumps(acknowledged).decode())
        except (aiohttp.ClientError, ConnectionError):
            return  # the connection is gone: it comes again, and is known by then

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        self._room.release()
        if not task.cancelled() and (bug := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an envelope was not taken", "exception": bug, "task": task}
            )

    def _end(self, cause: Literal["refresh", "link_disabled", "lost"]) -> None:
        self.ending_because = self.ending_because or cause
        self.ending.set()

    async def _hang_up(self) -> None:
        if self._socket is not None:
            await self._socket.close()


class _MakeRequest(Protocol):
    def __call__(self, envelope: _Envelope) -> WebhookRequest | None: ...


def _envelope(text: str) -> _Envelope | None:
    try:
        return _Envelope.model_validate_json(text)
    except ValidationError:
        return None


def _text(value: JsonValue) -> str:
    """A field of a form: Slack's are texts; what else may come is written as JSON writes it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
