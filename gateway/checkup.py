"""``turnkeeper check``: asks store, platforms and models once, and says in a table what is well and what not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from channels.port import Finding
from conversation.clock import SystemClock
from conversation.providers.port import ProviderError
from conversation.stores.port import StoreUnavailableError
from gateway.bot_settings import Agent as AgentSettings
from gateway.settings import Settings
from gateway.wiring import Maker, connections, make_store


async def examine(settings: Settings, *, live: bool) -> AsyncIterator[Finding]:
    """Yield findings as they come. ``live`` makes one real round trip to each agent's model."""
    for warning in settings.unsupported():
        yield Finding("configuration", ok=True, detail=f"note: {warning}")
    yield await _store(settings)
    async with connections() as http:
        maker = Maker(settings.limits, http, http, None)
        for bot in settings.bots:
            if settings.server.public_url is not None:
                url = f"{settings.server.public_url.rstrip('/')}/webhooks/{bot.channel}/{bot.id}"
                yield Finding(f"bot {bot.id}: webhook", ok=True, detail=url)
            channel = maker.channel(bot)
            for finding in await channel.check():
                yield Finding(f"bot {bot.id}: {finding.subject}", finding.ok, finding.detail)
            await channel.close()
        for agent in settings.agents:
            yield await _agent(maker, agent, live=live)


async def _store(settings: Settings) -> Finding:
    try:
        store = make_store(settings, SystemClock())
        await store.open()
    except StoreUnavailableError as error:
        return Finding("store", ok=False, detail=str(error))
    await store.close()
    return Finding("store", ok=True, detail=settings.store.place)


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
