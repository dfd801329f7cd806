"""A chat platform and a model in memory, with state: what a person would see is what tests look at."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from conversation import lease
from conversation.controls import Controls
from conversation.courtesies import Courtesies
from conversation.outbound import DeliveryError, LivePart, PartRequest, ShownPart
from conversation.providers.port import Prompt, ProviderError
from conversation.steps import Step


@dataclass
class Visible:
    """A message on the platform; ``history`` is (time, text) of every change."""

    ref: str
    part: str
    text: str
    growing: bool = True
    writer: object = None
    controls: Controls | None = None
    steps: list[Step] = field(default_factory=list)
    history: list[tuple[float, str]] = field(default_factory=list)


class FakePlatform:
    """Implements the outbound port. ``trouble`` may raise before, or after, a call takes effect."""

    streams = True
    courtesies: Courtesies | None = None

    def __init__(self, *, opens_early: bool = False, limit: int = 1000, interval: float = 1.0) -> None:
        self.opens_early = opens_early
        self.fate_known_after = 10.0
        self.repair_after: float | None = 20.0
        self.limit = limit
        self.interval = interval
        self.messages: list[Visible] = []
        self._refs = itertools.count()
        self.trouble: dict[str, list[DeliveryError]] = {}
        self.trouble_after: dict[str, list[DeliveryError]] = {}
        self.lookups: list[tuple[float, str]] = []
        self.takes_late_writes = False
        self.late_writes = 0
        self.repairs: list[str] = []
        self.seconds_per_call = 0.0
        self.seconds_to_answer = 0.0

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        return (text[: self.limit], text[self.limit :]) if len(text) > self.limit else None

    def steady(self, text: str, shown: int) -> int:
        return len(text)

    async def open(self, part: PartRequest, text: str) -> LivePart:
        await lease.before_write(10.0)
        if self.trouble.get("open"):
            raise self.trouble["open"].pop(0)
        visible = Visible(f"ref{next(self._refs)}", part.id, "", steps=list(part.steps))

        def appear() -> None:
            self.messages.append(visible)
            self.change(visible, text)

        await self._on_its_way(appear)
        await self.answer("open")
        await part.save(visible.ref)
        return self._live(visible)

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        await self.meets("resume")
        visible = next(one for one in self.messages if one.ref == ref)
        visible.growing = True
        return self._live(visible)

    async def find(self, part: PartRequest) -> str | None:
        self.lookups.append((asyncio.get_running_loop().time(), part.id))
        return next((one.ref for one in self.messages if one.part == part.id), None)

    async def remove(self, part: PartRequest, ref: str) -> None:
        await self.meets("remove")
        self.messages = [one for one in self.messages if one.ref != ref]

    async def repair(
        self, parts: Sequence[ShownPart], strays: Sequence[str], quiet: Callable[[], Awaitable[int | None]]
    ) -> bool:
        await self.meets("repair")
        self.repairs += [part.text for part in parts]
        own = {part.ref for part in parts}
        for part in parts:
            visible = next(one for one in self.messages if one.ref == part.ref)
            if visible.text != part.text:
                self.change(visible, part.text)
        for copy in [one for one in self.messages if one.part in {part.request.id for part in parts}]:
            if copy.ref not in own:
                self.messages.remove(copy)
        self.messages = [one for one in self.messages if one.ref in own or one.ref not in strays]
        return True

    async def meets(self, call: str) -> None:
        await lease.before_write(10.0)
        if self.trouble.get(call):
            await asyncio.sleep(self.seconds_per_call)
            raise self.trouble[call].pop(0)

    async def write(self, visible: Visible, text: str, writer: object) -> None:
        """Only the newest writer's text is shown, unless the platform ``takes_late_writes``."""

        def effect() -> None:
            late = visible.writer is not writer
            assert self.takes_late_writes or not late, "an earlier attempt wrote over a later one"
            self.late_writes += late
            if text != visible.text:
                self.change(visible, text)

        await self._on_its_way(effect)

    async def _on_its_way(self, effect: Callable[[], object]) -> None:
        """Whoever gives up waiting does not stop what is on its way."""
        arrived = asyncio.Event()

        def arrive() -> None:
            effect()
            arrived.set()

        asyncio.get_running_loop().call_later(self.seconds_per_call, arrive)
        await arrived.wait()

    async def answer(self, call: str) -> None:
        """The call has taken effect; its caller learns of it later, or never."""
        await asyncio.sleep(self.seconds_to_answer)
        if self.trouble_after.get(call):
            raise self.trouble_after[call].pop(0)

    def change(self, visible: Visible, text: str) -> None:
        assert len(text) <= self.limit, "more than fits into one message"
        visible.text = text
        visible.history.append((asyncio.get_running_loop().time(), text))

    def _live(self, visible: Visible) -> LivePart:
        live = _FakePart(self, visible)
        visible.writer = live
        return live

    @property
    def shown(self) -> list[str]:
        return [one.text for one in self.messages]


class _FakePart:
    def __init__(self, platform: FakePlatform, visible: Visible) -> None:
        self._platform = platform
        self._visible = visible
        self._steps: list[Step] = []

    def working(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)

    async def pace(self) -> None:
        last = self._visible.history[-1][0] if self._visible.history else 0.0
        await asyncio.sleep(max(0.0, last + self._platform.interval - asyncio.get_running_loop().time()))

    async def show(self, text: str) -> None:
        await self._platform.meets("show")
        await self._platform.write(self._visible, text, self)
        self._visible.steps = self._steps
        await self._platform.answer("show")

    async def close(self, text: str, controls: Controls | None = None) -> None:
        await self._platform.meets("close")
        await self._platform.write(self._visible, text, self)
        self._visible.controls = controls
        self._visible.steps = self._steps
        await self._platform.answer("close")
        self._visible.growing = False


Script = Callable[[Prompt], AsyncGenerator[str, None]]


class FakeModel:
    """Answers with a script and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Prompt] = []

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        self.asked.append(prompt)
        async for piece in self.script(prompt):
            yield piece

    async def check(self, *, live: bool) -> str:
        return "well"

    async def close(self) -> None:
        """Nothing is open."""


def says(*pieces: str | float | Step | ProviderError) -> Script:
    """Yields texts; a number waits that many seconds; a step is told of; an error is raised."""

    async def script(prompt: Prompt) -> AsyncGenerator[str, None]:
        for piece in pieces:
            match piece:
                case str():
                    yield piece
                case Step():
                    assert prompt.step is not None
                    prompt.step(piece)
                case ProviderError():
                    raise piece
                case seconds:
                    await asyncio.sleep(seconds)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first script for the first request, and so on; the last one stays."""
    left = list(scripts)

    async def script(prompt: Prompt) -> AsyncGenerator[str, None]:
        current = left.pop(0) if len(left) > 1 else left[0]
        async for piece in current(prompt):
            yield piece

    return script
