"""What the stand-ins share: serving on a loopback port, complaints, and the record of what a person sees.

A stand-in keeps the platform's rules. It answers a broken rule as the platform would and, where a correct
client would never have asked, also records a *complaint*: one plain sentence with method and ids. What it
refused for any reason is in ``refusals``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

from gateway.demo.faults import Fault, Faults, Hold, How

Clock = Callable[[], float]

SHUTDOWN_TIMEOUT = 0.2
LATENCY = 0.005
"""Seconds that a call takes by default: long enough that concurrent calls are seen to be concurrent."""


@dataclass(frozen=True, slots=True)
class Task:
    """A card about a step on the way to an answer. ``statuses`` are those that it had, the last one now."""

    title: str
    statuses: tuple[str, ...]
    details: str = ""


@dataclass(slots=True)
class Shown:
    """One message as a person sees it now, and how it came to be.

    ``ts`` is the platform's id of the message (Slack: its timestamp). ``history`` holds every text that was
    visible, with its time. ``streaming``: the platform shows that it is still being written. ``thread`` is the
    thread's id, ``reply_to`` the message that it quotes (Lark).
    """

    ts: str
    chat: str
    author: Literal["person", "bot"]
    user: str
    at: float
    text: str = ""
    thread: str | None = None
    reply_to: str | None = None
    history: list[tuple[float, str]] = field(default_factory=list)
    streaming: bool = False
    deleted: bool = False
    metadata: Mapping[str, object] | None = None
    reactions: list[str] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What can be pressed under it, by label: the name of the action, and the value that comes back."""
    tasks: dict[str, Task] = field(default_factory=dict)
    """Cards about what is done for it, by id (Slack)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a platform's method. ``caller`` is the address that it came from; ``arrived_at`` as in Shown."""

    method: str
    caller: str
    arrived_at: float


class StandIn(ABC):
    """A small server on the loopback interface, alive within ``async with``."""

    def __init__(self, *, clock: Clock = time.time, port: int = 0, latency: float = LATENCY) -> None:
        self.clock = clock
        self.complaints: list[str] = []
        self.refusals: list[str] = []
        self.calls: dict[str, int] = defaultdict(int)
        self.on_change: Callable[[Shown], None] | None = None
        self.on_refusal: Callable[[str], None] | None = None
        self.serving: Call | None = None
        """The call whose effect is happening, as seen from ``on_change`` and ``on_refusal``."""
        self._port = port
        self._latency = latency
        self._faults = Faults()
        self._in_flight: dict[tuple[str, ...], list[web.Request]] = defaultdict(list)
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """What it serves."""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._faults.release_all()
        if self._runner is not None:
            await self._runner.cleanup()

    def fail_next(
        self,
        method: str,
        how: How | None = None,
        *,
        status: int | None = None,
        error: str | int | None = None,
        retry_after: int | None = None,
        times: int = 1,
    ) -> None:
        """Let the next ``times`` calls of a method fail.

        Exactly one of: ``how`` (no answer comes, before or after the effect), ``status`` (a bare HTTP answer),
        ``error`` (the platform's own error). ``retry_after`` goes with status 429, or an error that means the same.
        """
        self._faults.plan(method, Fault(how, status, error, retry_after), times)

    def hold(self, method: str, *, most: float = math.inf) -> Hold:
        """Hold back a method: ``async with standin.hold(m) as hold: await hold.reached()``. ``most``: calls."""
        return self._faults.hold(method, most)

    def complain(self, sentence: str) -> None:
        self.complaints.append(sentence)

    def refuse(self, sentence: str) -> None:
        """Take note of a call that was refused, for whatever reason."""
        self.refusals.append(sentence)
        if self.on_refusal is not None:
            self.on_refusal(sentence)

    async def perform(
        self, method: str, request: web.Request, effect: Callable[[], web.StreamResponse]
    ) -> web.StreamResponse:
        """Run a method's effect with whatever a test has planned for it."""
        self.calls[method] += 1
        call = Call(method, request.remote or "", self.clock())
        if self._latency:
            await asyncio.sleep(self._latency)
        await self._faults.held(method, call.caller)
        fault = self._faults.next_for(method)
        if fault is None:
            return self._take_effect(call, effect)
        if fault.how == "timeout_before_effect":
            return await self.hang(request)
        if fault.how == "drop_before_effect":
            return self.drop(request)
        if fault.how is None:
            return self.answer_fault(fault)
        self._take_effect(call, effect)
        return await self.hang(request) if fault.how == "timeout_after_effect" else self.drop(request)

    def _take_effect(self, call: Call, effect: Callable[[], web.StreamResponse]) -> web.StreamResponse:
        self.serving = call
        try:
            return effect()
        finally:
            self.serving = None

    def answer_fault(self, fault: Fault) -> web.Response:
        """The platform's answer for a planned fault without silence."""
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return web.Response(status=fault.status or 500, headers=headers, text="planned fault")

    async def hang(self, request: web.Request) -> web.Response:
        """Never answer: return when the client has gone or the stand-in closes."""
        while not gone(request) and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), 0.05)
        return web.Response(status=503)

    def drop(self, request: web.Request) -> web.Response:
        """Close the connection instead of answering."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    @contextlib.contextmanager
    def one_at_a_time(self, method: str, request: web.Request, *target: str) -> Iterator[None]:
        """Complain if another call of a living client is writing the same thing."""
        others = self._in_flight[target]
        if any(not gone(other) for other in others):
            self.complain(f"{method} on {'/'.join(target)} while another write to it was in flight")
        others.append(request)
        try:
            yield
        finally:
            others.remove(request)
            if not others:
                del self._in_flight[target]

    def show(self, shown: Shown, text: str) -> None:
        """Let the person see this text from now on."""
        if text != shown.text:
            shown.text = text
            shown.history.append((self.clock(), text))
        self.changed(shown)

    def changed(self, shown: Shown) -> None:
        if self.on_change is not None:
            self.on_change(shown)


def gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
