"""Puts the parts together. This module alone names the concrete classes; tests call ``build`` too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from channels.lark import LarkChannel, LarkCredentials
from channels.port import Channel, ChannelPolicy
from channels.slack import SlackChannel, SlackCredentials
from conversation.actor import Actor
from conversation.bot import Agent, Bot, Gates, Timeouts
from conversation.busy import Limits
from conversation.clock import Clock, SystemClock
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.messages import InboundMessage
from conversation.notices import Notices
from conversation.providers.echo import EchoProvider
from conversation.providers.openai import OpenAIProvider
from conversation.providers.port import Provider
from conversation.repairs import Repairs
from conversation.stores.memory import MemoryStore
from conversation.stores.permits import Permits
from conversation.stores.port import Admission, Store, StoreUnavailableError
from conversation.stores.sqlite import SqliteStore
from gateway import settings as configured
from gateway.admin import Administration
from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.admin.dead_letters import DeadLetters
from gateway.admin.events import Events
from gateway.admin.privacy import PersonalData
from gateway.admin.tokens import Tokens
from gateway.api import make_api
from gateway.api.idempotency import Repetitions
from gateway.app import make_admin_app, make_app
from gateway.settings import Settings
from gateway.webhooks import HostedBot, Webhooks

LARK_HOSTS = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """What runs. ``background`` is to be run, and ``started`` awaited, before ``app`` is served.

    ``admin`` is to be served at ``admin.listen``; None where that is not set, or the API is off.
    """

    app: web.Application
    admin: web.Application | None
    store: Store
    directory: Directory
    notices: Notices
    repairs: Repairs
    repetitions: Repetitions
    bots: tuple[HostedBot, ...]

    async def background(self, started: asyncio.Event) -> None:
        """Everything that runs beside HTTP, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.notices.run(), name="notices")
            tasks.create_task(self.repairs.run(), name="repairs")
            tasks.create_task(self.repetitions.run(), name="repetitions")
            tasks.create_task(self.directory.run(started), name="directory")


@asynccontextmanager
async def build(
    settings: Settings, *, store: Store | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """The gateway of these settings, with its store and connections open until the context ends.

    Raises StoreUnavailableError with what to do about it.
    """
    clock = clock or SystemClock()
    store = store or make_store(settings, clock)
    async with AsyncExitStack() as resources:
        await store.open()
        resources.push_async_callback(store.close)
        models = await resources.enter_async_context(connections())
        platforms = await resources.enter_async_context(connections())
        agents = {agent.id: make_agent(settings, agent, models) for agent in settings.agents}
        hosted = tuple(
            _host(bot, agents[bot.agent], platforms, settings, store.permits) for bot in settings.bots
        )
        for agent in agents.values():
            resources.push_async_callback(agent.provider.close)
        for one in hosted:
            await one.channel.start()
            resources.push_async_callback(one.channel.close)
        bots = {one.bot.id: one.bot for one in hosted}
        executor = Executor(bots, agents, store.turns, store.transcripts, clock)
        actor = Actor(executor, store.turns, clock, keep_turns=settings.limits.max_turns)
        directory = Directory(store, actor.run, clock, max_replies=settings.limits.max_replies)
        notices = Notices()
        routes: dict[tuple[str, str], HostedBot] = {
            (bot.channel, bot.id): one for bot, one in zip(settings.bots, hosted, strict=True)
        }
        repetitions = Repetitions(store.records, clock)
        administration = _administration(settings, store, directory, clock)
        api = None if administration is None else make_api(administration, repetitions)
        apart = settings.admin.listen is not None
        app = make_app(Webhooks(routes, directory, notices, clock), directory, None if apart else api)
        admin = make_admin_app(api) if apart and api is not None else None
        yield Gateway(app, admin, store, directory, notices, Repairs(bots, store.turns), repetitions, hosted)


def _administration(
    settings: Settings, store: Store, directory: Directory, clock: Clock
) -> Administration | None:
    """None if nobody could use it."""
    token = _plain(settings.admin.token)
    if not token:
        return None

    async def admit(message: InboundMessage, limits: Limits) -> Admission:
        return await directory.admit(message, limits=limits)

    audit = Audit(store.audit)
    return Administration(
        attempts=Attempts(clock),
        tokens=Tokens(store.records, audit, clock, bootstrap=token),
        audit=audit,
        privacy=PersonalData(store.privacy, lambda: [(bot.channel, bot.id) for bot in settings.bots], audit),
        events=Events(store.events),
        dead_letters=DeadLetters(store.turns, admit, limits_of_bots(settings), audit),
    )


def make_store(settings: Settings, clock: Clock) -> Store:
    """Raises StoreUnavailableError for a malformed address."""
    match settings.store.kind:
        case "memory":
            return MemoryStore(clock)
        case "sqlite":
            return SqliteStore(settings.store.path, clock)
        case "redis":
            from conversation.stores.redis import (  # noqa: PLC0415 - only who uses it pays for it
                Login,
                MalformedAddressError,
                RedisStore,
            )

            given = settings.store
            login = Login(
                given.username,
                _plain(given.password) or None,
                _plain(given.sentinel_password) or None,
                given.ca_file,
            )
            try:
                return RedisStore(
                    given.url, namespace=given.namespace, durability=given.durability, login=login
                )
            except MalformedAddressError as error:
                raise StoreUnavailableError(f"store.url: {error}") from None


def make_agent(settings: Settings, agent: configured.Agent, http: aiohttp.ClientSession) -> Agent:
    return Agent(
        id=agent.id,
        provider=_provider(agent, http),
        system_prompt=agent.system_prompt,
        max_context_tokens=agent.max_context_tokens,
        max_turns=settings.limits.max_turns,
        timeouts=Timeouts(agent.timeouts.first_token, agent.timeouts.idle, agent.timeouts.reply),
    )


def make_channel(
    bot: configured.SlackBot | configured.LarkBot, http: aiohttp.ClientSession, permits: Permits | None
) -> Channel:
    policy = ChannelPolicy(
        conversation_per=bot.conversation_per,
        respond_to=bot.respond_to,
        stream=bot.stream,
        locale=bot.locale,
    )
    if isinstance(bot, configured.SlackBot):
        return SlackChannel(
            bot.id,
            _slack_credentials(bot.credentials),
            http=http,
            policy=policy,
            api_base_url=bot.api_base_url or "https://slack.com/api/",
            permits=permits,
        )
    return LarkChannel(
        bot.id,
        _lark_credentials(bot.credentials),
        http=http,
        policy=policy,
        api_base_url=bot.api_base_url or LARK_HOSTS[bot.region],
        permits=permits,
    )


def _slack_credentials(given: configured.SlackCredentials | None) -> SlackCredentials | None:
    if given is None:
        return None
    return SlackCredentials(given.signing_secret.get_secret_value(), given.bot_token.get_secret_value())


def _lark_credentials(given: configured.LarkCredentials | None) -> LarkCredentials | None:
    if given is None:
        return None
    return LarkCredentials(
        app_id=given.app_id.get_secret_value(),
        app_secret=given.app_secret.get_secret_value(),
        encrypt_key=_plain(given.encrypt_key),
        verification_token=_plain(given.verification_token),
    )


def _host(
    bot: configured.SlackBot | configured.LarkBot,
    agent: Agent,
    http: aiohttp.ClientSession,
    settings: Settings,
    permits: Permits | None,
) -> HostedBot:
    channel = make_channel(bot, http, permits)
    gates = Gates(
        enabled=bot.enabled,
        users=frozenset(bot.allow.users),
        chats=frozenset(bot.allow.chats),
        external_users=bot.external_users == "allow",
        max_age=bot.max_age,
    )
    when_busy = "queue" if bot.when_busy == "reject" else bot.when_busy
    return HostedBot(Bot(bot.id, agent, channel.outbound, gates, _limits(bot, settings), when_busy), channel)


def limits_of_bots(settings: Settings) -> dict[tuple[str, str], Limits]:
    """Of the bots that can answer, by channel and id."""
    return {
        (bot.channel, bot.id): _limits(bot, settings)
        for bot in settings.bots
        if bot.enabled and bot.credentials is not None
    }


def _limits(bot: configured.SlackBot | configured.LarkBot, settings: Settings) -> Limits:
    return Limits(
        queued=0 if bot.when_busy == "reject" else settings.limits.max_queued,
        replies=bot.max_replies or 0,
        per_person=settings.limits.max_replies_per_user,
    )


def _provider(agent: configured.Agent, http: aiohttp.ClientSession) -> Provider:
    if agent.provider == "echo":
        return EchoProvider()
    return OpenAIProvider(
        model=agent.model, base_url=agent.base_url, api_key=_plain(agent.api_key), http=http
    )


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def connections() -> aiohttp.ClientSession:
    """A pool without a limit of its own: what may run at once is decided by slots and budgets. Every request
    brings its own timeouts.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)
    )
