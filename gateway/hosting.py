"""The bots and agents of this process: those of the configuration file, and stored ones, which follow their records.

Invariants:

- what is wrong with one record concerns that one alone: a bot that ran goes on as it was, a new one does not begin;
- a reply that runs keeps the channel and the agent with which it began; they are closed once no such reply runs;
- a bot's channel is made anew only if something changes that it knows of: there is one budget and one listener;
- the file comes first: a stored record with the id of one in the file is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import structlog

from channels.port import Channel
from conversation.bot import Agent, Bot
from conversation.busy import Limits
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, Records
from gateway import documents
from gateway.admin.errors import InvalidError
from gateway.bot_settings import Agent as AgentSettings
from gateway.bot_settings import AnyBot
from gateway.documents import M
from gateway.secret import Sources

LOOK_EVERY = 1.0
"""Seconds between two looks at the records; a change is in force within twice that."""

TRY_AGAIN_EVERY = 10.0
"""Seconds after which a record with a problem is read again: a file with its secret may be there by then."""

LINGER = 30.0
"""Seconds for which what is not in force any more stays open in any case: for notices and repairs, which are no
replies, and for what still waited for a bot that was removed."""

K = TypeVar("K")
V = TypeVar("V")

_log = structlog.get_logger()


class CollisionError(Exception):
    """A record of the store has the id of one in the configuration file."""


@dataclass(frozen=True, slots=True)
class HostedBot:
    """A bot with the channel that speaks for it. ``draft``: it lacks credentials, and admits nothing."""

    bot: Bot
    channel: Channel
    draft: bool = False


class Workshop(Protocol):
    """Makes what hosting keeps running; the wiring's."""

    def agent(self, settings: AgentSettings) -> Agent: ...
    def channel(self, settings: AnyBot) -> Channel: ...
    def bot(self, settings: AnyBot, agent: Agent, channel: Channel) -> Bot: ...
    def beside_agent(self, agent: Agent) -> Bot | None:
        """The hidden bot by which an agent is talked to in the playground."""
        ...

    def beside_bot(self, bot: Bot) -> Bot | None:
        """The hidden bot by which a bot is tested."""
        ...


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What the configuration file holds."""

    agents: Mapping[str, AgentSettings]
    bots: Mapping[str, AnyBot]


@dataclass(slots=True)
class _Wanted:
    """What should run, and why something cannot, by id."""

    agents: dict[str, AgentSettings] = field(default_factory=dict)
    bots: dict[str, AnyBot] = field(default_factory=dict)
    problems: dict[tuple[str, str], str] = field(default_factory=dict)


class Hosting:
    """``bots``, ``agents`` and ``routes`` are read while they change: each read sees the state of a moment."""

    def __init__(
        self, provisioned: Provisioned, records: Records, sources: Sources, workshop: Workshop
    ) -> None:
        self.provisioned = provisioned
        self._records = records
        self._sources = sources
        self._workshop = workshop
        self.bots: dict[str, Bot] = {}
        self.agents: dict[str, Agent] = {}
        self.routes: dict[tuple[str, str], HostedBot] = {}
        self.problems: dict[tuple[str, str], str] = {}
        """By kind and id: why a stored record is not in force."""
        self._agent_settings: dict[str, AgentSettings] = {}
        self._bot_settings: dict[str, AnyBot] = {}
        self._hosted: dict[str, HostedBot] = {}
        self._retired: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        self._revisions: tuple[int, int] | None = None
        self._read_at = 0.0
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Raises CollisionError and StoreUnavailableError."""
        for kind, known in (("bot", self.provisioned.bots), ("agent", self.provisioned.agents)):
            both = sorted(record.id for record in await self._records.all(kind) if record.id in known)
            if both:
                raise CollisionError(
                    f"{kind} {both[0]!r} is in the configuration file and in the store; give the file's another id,"
                    f" or take it out, start, and remove the stored one (`turnkeeper {kind}s remove {both[0]}`)"
                )
        await self.refresh()

    async def run(self, running_since: Callable[[], float]) -> None:
        """Follow the records until cancelled. ``running_since`` as Directory's."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                if await self._revision() != self._revisions or self._may_try_again:
                    await self.refresh()
                await self._close_retired(running_since())
            except StoreUnavailableError as error:
                _log.warning("store unavailable", cause=str(error))

    async def refresh(self) -> None:
        """Bring into force what is stored now. Raises StoreUnavailableError."""
        async with self._changing:
            revisions = await self._revision()
            wanted = self._read(await self._records.all("agent"), await self._records.all("bot"))
            known = dict(self.problems)
            await self._apply(wanted)
            for (kind, id), problem in self.problems.items():
                if known.get((kind, id)) != problem:
                    _log.warning("stored record not in force", kind=kind, id=id, cause=problem)
            self._revisions = revisions
            self._read_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        for _, close in self._retired:
            await close()
        for hosted in self._hosted.values():
            await hosted.channel.close()
        for agent in self.agents.values():
            await agent.provider.close()

    def users_of(self, agent: str) -> tuple[str, ...]:
        """The bots that an agent answers for, by id."""
        return tuple(sorted(id for id, bot in self._bot_settings.items() if bot.agent == agent))

    def health_timeout(self, agent: str) -> float:
        """Seconds; of an agent that is in force."""
        return self._agent_settings[agent].timeouts.health

    def limits(self, channel: str, bot: str) -> Limits | None:
        """Of a bot that can answer now."""
        hosted = self.routes.get((channel, bot))
        return hosted.bot.limits if hosted and not hosted.draft and hosted.bot.gates.enabled else None

    @property
    def _may_try_again(self) -> bool:
        return bool(self.problems) and asyncio.get_running_loop().time() - self._read_at >= TRY_AGAIN_EVERY

    async def _revision(self) -> tuple[int, int]:
        return await self._records.revision("agent"), await self._records.revision("bot")

    def _read(self, agents: tuple[Record, ...], bots: tuple[Record, ...]) -> _Wanted:
        wanted = _Wanted()
        for record in agents:
            self._read_one(record, documents.AGENTS, wanted.agents, self._agent_settings, wanted)
        wanted.agents |= self.provisioned.agents
        for record in bots:
            self._read_one(record, documents.BOTS, wanted.bots, self._bot_settings, wanted)  # type: ignore[misc]  # a union
        wanted.bots |= self.provisioned.bots
        for id, bot in list(wanted.bots.items()):
            if bot.agent not in wanted.agents:
                fault = wanted.problems.get(("agent", bot.agent))
                wanted.problems["bot", id] = (
                    f"its agent {bot.agent!r} cannot be used: {fault}"
                    if fault
                    else f"there is no agent {bot.agent!r}; create it, or choose another"
                )
                del wanted.bots[id]
        return wanted

    def _read_one(
        self,
        record: Record,
        kind: documents.Kind[M],
        into: dict[str, M],
        running: Mapping[str, M],
        wanted: _Wanted,
    ) -> None:
        provisioned = self.provisioned.bots if kind.name == "bot" else self.provisioned.agents
        if record.id in provisioned:
            wanted.problems[kind.name, record.id] = (
                f"a {kind.name} of this id was also made through the API, and is not in force; give the one in the"
                " configuration file another id"
            )
            return
        try:
            into[record.id] = documents.read(kind, record.id, documents.load(record), self._sources)
        except InvalidError as error:
            wanted.problems[kind.name, record.id] = str(error)
            if record.id in running:  # as it was is better than not at all
                into[record.id] = running[record.id]

    async def _apply(self, wanted: _Wanted) -> None:
        now = asyncio.get_running_loop().time()
        agents: dict[str, Agent] = {}
        for id, settings in wanted.agents.items():
            if self._agent_settings.get(id) == settings:
                agents[id] = self.agents[id]
            else:
                agents[id] = self._workshop.agent(settings)
        self._retired += [
            (now, agent.provider.close) for id, agent in self.agents.items() if agents.get(id) is not agent
        ]
        hosted: dict[str, HostedBot] = {}
        for id, bot in wanted.bots.items():
            hosted[id] = await self._host(id, bot, agents[bot.agent])
        kept = {one.channel for one in hosted.values()}
        self._retired += [
            (now, one.channel.close) for one in self._hosted.values() if one.channel not in kept
        ]
        bots = {id: one.bot for id, one in hosted.items()}
        beside = [self._workshop.beside_agent(agent) for agent in agents.values()]
        beside += [self._workshop.beside_bot(bot) for bot in bots.values()]
        bots |= {bot.id: bot for bot in beside if bot is not None}
        gone = {id: _switched_off(bot) for id, bot in self.bots.items() if id not in bots}
        routes: dict[tuple[str, str], HostedBot] = {}
        for id, one in hosted.items():
            routes[wanted.bots[id].channel, id] = one
        # From here to the end nothing is awaited: whoever reads sees all of it or nothing.
        _replace(self.bots, gone | bots)
        _replace(self.agents, agents)
        _replace(self.routes, routes)
        _replace(self.problems, wanted.problems)
        self._agent_settings, self._bot_settings, self._hosted = wanted.agents, wanted.bots, hosted

    async def _host(self, id: str, settings: AnyBot, agent: Agent) -> HostedBot:
        before = self._hosted.get(id)
        if before is not None and _of_channel(self._bot_settings[id]) == _of_channel(settings):
            channel = before.channel
        else:
            channel = self._workshop.channel(settings)
            await channel.start()
        return HostedBot(
            self._workshop.bot(settings, agent, channel), channel, draft=settings.complete is None
        )

    async def _close_retired(self, running_since: float) -> None:
        """A reply that began before its channel was retired may still be using it."""
        unused_since = min(running_since, asyncio.get_running_loop().time() - LINGER)
        due = [close for at, close in self._retired if at < unused_since]
        self._retired = [(at, close) for at, close in self._retired if at >= unused_since]
        for close in due:
            await close()


def _of_channel(settings: AnyBot) -> AnyBot:
    """The settings without those that its channel does not know of."""
    return settings.model_copy(
        update={
            "agent": "",
            "enabled": True,
            "when_busy": "queue",
            "allow": None,
            "external_users": "deny",
            "max_replies": None,
            "max_age": 0.0,
            "no_store": False,
            "agents": (),
            "feedback": True,
            "welcome": None,
        }
    )


def _switched_off(bot: Bot) -> Bot:
    """What waits for a bot that was removed is told so."""
    return replace(bot, gates=replace(bot.gates, enabled=False))


def _replace(current: dict[K, V], wanted: Mapping[K, V]) -> None:
    current.clear()
    current.update(wanted)
