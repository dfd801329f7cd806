"""The core put together on the memory store, a fake platform and a fake model, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conversation.actor import Actor
from conversation.bot import Agent, Bot, Gates, Timeouts
from conversation.busy import Limits, WhenBusy
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.in_flight import InFlight
from conversation.marks import Marks
from conversation.messages import InboundMessage
from conversation.observer import Observer, SessionObserver, Unobserved
from conversation.outbound import Outbound
from conversation.repairs import Repairs
from conversation.retries import Retries
from conversation.stores.events import Event
from conversation.stores.memory import MemoryStore
from tests.conversation.fake_platform import FakeModel, FakePlatform, Script
from tests.virtual_time import LoopClock


class House:
    """One process after another on one store: ``running`` is a process's life. ``outbound``: not the platform."""

    def __init__(
        self,
        script: Script,
        platform: FakePlatform | None = None,
        *,
        max_replies: int = 250,
        gates: Gates | None = None,
        timeouts: Timeouts | None = None,
        when_busy: WhenBusy = "queue",
        limits: Limits | None = None,
        store: MemoryStore | None = None,
        keep_texts: bool = True,
        outbound: Outbound | None = None,
        session_observer: SessionObserver | None = None,
    ) -> None:
        self._session_observer = session_observer or Unobserved()
        self.lag = 0.0
        self.clock = LoopClock()
        self.platform = platform or FakePlatform()
        self.model = FakeModel(script)
        self.store = store or MemoryStore(self.clock)
        self.max_replies = max_replies
        self.agent = Agent("default", self.model, "Be kind.", timeouts=timeouts or Timeouts())
        self.agents = {"default": self.agent}
        self.bot = Bot(
            "helpdesk",
            self.agent,
            outbound or self.platform,
            gates or Gates(),
            limits or Limits(),
            when_busy,
            keep_texts,
        )
        self.bots = {"helpdesk": self.bot}
        self.in_flight = InFlight()
        self.observer: Observer = Unobserved()
        self.marks: Marks | None = None
        self.directory = self._directory()

    def _directory(self) -> Directory:
        executor = Executor(
            self.bots,
            self.agents,
            self.store.turns,
            self.store.transcripts,
            self.clock,
            self.in_flight,
            Retries(self.store.records, self.clock),
            self.marks,
        )
        actor = Actor(executor, self.store.turns, self.clock, keep_turns=100, observer=self.observer)
        return Directory(
            self.store,
            actor.run,
            self.clock,
            max_replies=self.max_replies,
            machine_time=lambda: asyncio.get_running_loop().time(),
            observer=self._session_observer,
            lag=lambda: self.lag,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """A process's life; leaving the context is its sudden death: nothing is released."""
        self.directory = self._directory()
        started = asyncio.Event()
        repairs = Repairs(self.bots, self.store.turns)
        life = [asyncio.create_task(self.directory.run(started)), asyncio.create_task(repairs.run())]
        if self.marks is not None:
            life.append(asyncio.create_task(self.marks.run()))
        await started.wait()
        yield
        for task in life:
            task.cancel()
        await asyncio.gather(*life, return_exceptions=True)

    async def say(self, message: InboundMessage, **how: int) -> str:
        refusal = self.bot.gates.on_arrival(message, self.clock.now())
        limits = Limits(how["most"]) if "most" in how else self.bot.limits
        admission = await self.directory.admit(
            message, limits=limits, when_busy=self.bot.when_busy, refusal=refusal
        )
        return admission.status

    async def quiet(self) -> None:
        """Until every message that was accepted has been answered."""
        while any(event.kind == "message.admitted" for event in self._open_turns()):
            await asyncio.sleep(0.1)

    def _open_turns(self) -> list[Event]:
        happened = self.store.turns.happened
        ended = {event.turn_id for event in happened if event.kind == "turn.completed"}
        return [event for event in happened if event.turn_id not in ended]

    @property
    def outcomes(self) -> list[str]:
        return [event.detail for event in self.store.turns.happened if event.kind == "turn.completed"]
