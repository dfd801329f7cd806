"""``turnkeeper check``: asks store, platforms and models once, and says in a table what is well and what not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from channels.port import Finding
from conversation.clock import Clock, SystemClock
from conversation.providers.port import ProviderError
from conversation.stores.port import Store, StoreUnavailableError
from conversation.stores.records import Records
from gateway import documents
from gateway.admin.errors import InvalidError
from gateway.bot_settings import Agent as AgentSettings
from gateway.bot_settings import AnyBot
from gateway.canary import WrongKeyError, check_canary
from gateway.concrete import Installing, Maker, connections, destination_of, empty_store, make_store
from gateway.documents import M
from gateway.sealing import sealer_of
from gateway.secret import Sources
from gateway.settings import Settings
from gateway.tracing.checkup import examined


async def examine(settings: Settings, *, live: bool) -> AsyncIterator[Finding]:
    """Yield findings as they come. ``live`` makes one real round trip to each agent's model."""
    for warning in settings.unsupported():
        yield Finding("configuration", ok=True, detail=f"note: {warning}")
    clock = SystemClock()
    stored = _Stored([], [], empty_store(clock))
    async with AsyncExitStack() as resources:
        async for finding in _store(settings, stored, resources, clock):
            yield finding
        http = await resources.enter_async_context(connections())
        traces = await examined(destination_of(settings.telemetry), os.environ, http)
        if traces is not None:
            yield traces
        public_url = (settings.server.public_url or "").rstrip("/")
        installing = Installing(stored.store.records, sealer_of(settings.keyring), public_url)
        maker = Maker(settings.limits, http, http, None, installing=installing, clock=clock)
        for bot in (*settings.bots, *stored.bots):
            if settings.server.public_url is not None:
                url = f"{settings.server.public_url.rstrip('/')}/webhooks/{bot.channel}/{bot.id}"
                yield Finding(f"bot {bot.id}: webhook", ok=True, detail=url)
            channel = maker.channel(bot)
            for finding in await channel.check():
                yield Finding(f"bot {bot.id}: {finding.subject}", finding.ok, finding.detail)
            await channel.close()
        for agent in (*settings.agents, *stored.agents):
            yield await _agent(maker, agent, live=live)


@dataclass
class _Stored:
    """What admins made."""

    agents: list[AgentSettings]
    bots: list[AnyBot]
    store: Store


async def _store(
    settings: Settings, found: _Stored, resources: AsyncExitStack, clock: Clock
) -> AsyncIterator[Finding]:
    """Also reads what is stored, into ``found``; a record that cannot be used is a finding of its own."""
    try:
        store = make_store(settings, clock)
        await store.open()
    except StoreUnavailableError as error:
        yield Finding("store", ok=False, detail=str(error))
        return
    resources.push_async_callback(store.close)
    found.store = store
    try:
        yield Finding("store", ok=True, detail=settings.store.place)
        if settings.keyring is not None:
            await check_canary(settings.keyring, store.records)
        sources = Sources(os.environ, settings.directory, settings.keyring)
        for finding in await _read(documents.AGENTS, store.records, sources, found.agents):
            yield finding
        for finding in await _read(documents.BOTS, store.records, sources, found.bots):  # type: ignore[misc]  # a union
            yield finding
    except (StoreUnavailableError, WrongKeyError) as error:
        yield Finding("store", ok=False, detail=str(error))


async def _read(kind: documents.Kind[M], records: Records, sources: Sources, into: list[M]) -> list[Finding]:
    """A finding for each record that cannot be used."""
    faults = []
    for record in await records.all(kind.name):
        try:
            into.append(documents.read(kind, record.id, documents.load(record), sources))
        except InvalidError as error:
            faults.append(Finding(f"{kind.name} {record.id}", ok=False, detail=str(error)))
    return faults


async def _agent(maker: Maker, agent: AgentSettings, *, live: bool) -> Finding:
    subject = f"agent {agent.id}"
    provider = maker.agent(agent).provider
    try:
        async with asyncio.timeout(agent.timeouts.health):
            return Finding(subject, ok=True, detail=await provider.check(live=live))
    except ProviderError as error:
        return Finding(subject, ok=False, detail=str(error))
    except TimeoutError:
        return Finding(
            subject, ok=False, detail=f"no answer in {agent.timeouts.health:g} s (timeouts.health)"
        )
