"""Lark's long connection: events over a connection that we make, for who has no public address (docs:
"使用长连接接收事件"), through lark-oapi in a process of its own.

Invariants:

- an event goes through the pipeline as the webhook that it would have been, and the platform has its answer only
  after that; one that was not taken it sends again;
- the process is started again after it ended, each time later, up to a minute; one that stands still is ended;
- it ends with this process, however that ends, and is told to drain before.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import random
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import orjson
import structlog
from pydantic import BaseModel, JsonValue, ValidationError

from channels.lark.verify import LarkCredentials, Verifier
from channels.port import Finding, Take
from channels.received import NOTHING_TO_SAY
from conversation.clock import Clock

CHILD = Path(__file__).with_name("long_connection_child.py")
COMMAND = (sys.executable, "-P", str(CHILD))
"""``-P``: the modules beside it are not to be found by their short names."""

EXTRA = "lark-oapi is not installed; install turnkeeper[lark-oapi]"

FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds between the end of the process and the next."""

STABLE_AFTER = 120.0
"""Seconds for which a process lived, so that its end says nothing about the next."""

PING_EVERY, DEAD_AFTER = 20.0, 90.0
"""Seconds. lark-oapi may stand still while it connects."""

ENDED_WITHIN = 5.0
"""Seconds in which a process that was told to drain ends."""

_LONGEST_LINE = 8 << 20

_log = structlog.get_logger()


class _Line(BaseModel):
    """What the process says: an event, an answer to a ping, how the connection is, or why there will be none."""

    id: int = 0
    payload: str | None = None
    pong: int | None = None
    state: str = ""
    failed: str = ""


class LongConnection:
    """``channels.port.Transport`` for one bot in this process; the platform takes 50 for an app."""

    def __init__(
        self,
        bot: str,
        credentials: LarkCredentials,
        verifier: Verifier,
        base_url: str,
        clock: Clock,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """``verifier`` seals what arrives, so that it is received as a webhook is."""
        self._bot = bot
        self._credentials = credentials
        self._verifier = verifier
        self._domain = base_url.rstrip("/").removesuffix("/open-apis")
        self._clock = clock
        self._command = command
        self._connected = False

    @property
    def connected(self) -> bool:
        return self._connected

    def check(self) -> Finding:
        found = importlib.util.find_spec("lark_oapi") is not None
        return Finding("long connection", ok=found, detail="lark-oapi is installed" if found else EXTRA)

    async def run(self, take: Take) -> None:
        retry = FIRST_RETRY
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            if self._command is COMMAND and not self.check().ok:
                _log.error("long connection not started", bot=self._bot, cause=EXTRA)
            else:
                await self._live(take)
            if loop.time() - began > STABLE_AFTER:
                retry = FIRST_RETRY
            await asyncio.sleep(retry * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            retry = min(2 * retry, LONGEST_RETRY)

    async def _live(self, take: Take) -> None:
        """One process, from its start to its end."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
        )
        child = _Child(process, self._taken(take))
        try:
            child.tell(
                {
                    "app_id": self._credentials.app_id,
                    "app_secret": self._credentials.app_secret,
                    "domain": self._domain,
                }
            )
            await self._follow(child)
        finally:
            self._connected = False
            await child.end()
        _log.warning("long connection ended", bot=self._bot, code=process.returncode, cause=child.failed)

    async def _follow(self, child: _Child) -> None:
        """Until it ends, or stands still."""
        async with asyncio.TaskGroup() as tasks:
            pings = tasks.create_task(child.keep_alive(), name=f"long-connection-pings-{self._bot}")
            async for state in child.states():
                self._connected = state == "connected"
                _log.info("long connection", bot=self._bot, state=state)
            pings.cancel()

    def _taken(self, take: Take) -> _Answer:
        async def answer(payload: bytes) -> tuple[int, bytes]:
            reply = await take(self._verifier.sealed(self._with_token(payload), self._clock.now()))
            return reply.status, b"" if reply.body == NOTHING_TO_SAY else reply.body

        return answer

    def _with_token(self, payload: bytes) -> bytes:
        """As a webhook would hold it: by this connection an event comes without the app's token."""
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return payload
        holder = event.get("header", event) if isinstance(event, dict) else None
        if not isinstance(holder, dict):
            return payload
        holder["token"] = self._credentials.verification_token
        return orjson.dumps(event)


class _Answer(Protocol):
    async def __call__(self, payload: bytes) -> tuple[int, bytes]: ...


class _Child:
    """The process, as its lines."""

    def __init__(self, process: asyncio.subprocess.Process, answer: _Answer) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._in, self._out = process.stdin, process.stdout
        self._answer = answer
        self._answering: set[asyncio.Task[None]] = set()
        self._heard_at = asyncio.get_running_loop().time()
        self.failed = ""

    def tell(self, said: dict[str, JsonValue]) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):  # it has just ended
            self._in.write(orjson.dumps(said) + b"\n")

    async def states(self) -> AsyncIterator[str]:
        """Serve it until it ends; how its connection is, whenever that changes."""
        while line := await self._next():
            self._heard_at = asyncio.get_running_loop().time()
            try:
                said = _Line.model_validate_json(line)
            except ValidationError:
                continue
            if said.payload is not None:
                task = asyncio.create_task(self._take(said.id, said.payload), name="long-connection-event")
                self._answering.add(task)
                task.add_done_callback(self._answered)
            self.failed = said.failed or self.failed
            if said.state:
                yield said.state

    async def keep_alive(self) -> None:
        """End it if it says nothing any more."""
        loop = asyncio.get_running_loop()
        number = 0
        while loop.time() - self._heard_at < DEAD_AFTER:
            number += 1
            self.tell({"ping": number})
            await asyncio.sleep(PING_EVERY)
        self.failed = "it stood still"
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await asyncio.Event().wait()

    async def end(self) -> None:
        """Let it answer what it took, and end it in any case."""
        try:
            if self._process.returncode is None:
                self.tell({"drain": True})
                async with asyncio.timeout(ENDED_WITHIN):
                    async for _ in self.states():
                        pass
        except TimeoutError:
            pass
        finally:
            for task in self._answering:
                task.cancel()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _next(self) -> bytes:
        try:
            return await self._out.readline()
        except ValueError:  # longer than any event is
            return b"\n"

    async def _take(self, id: int, payload: str) -> None:
        status, body = await self._answer(b64decode(payload))
        self.tell({"id": id, "status": status, "body": b64encode(body).decode()})

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an event was not taken", "exception": bug, "task": task}
            )
