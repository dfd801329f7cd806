"""Puts the parts together. This module alone names the concrete classes; tests call ``build`` too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from channels.lark import LarkChannel, LarkCredentials
from channels.lark import manifest as lark_manifest
from channels.playground import PlaygroundOutbound
from channels.port import Channel, ChannelPolicy
from channels.slack import SlackChannel, SlackCredentials
from channels.slack import manifest as slack_manifest
from conversation.actor import Actor
from conversation.bot import Agent, Bot, Gates, Timeouts
from conversation.busy import Limits as BotLimits
from conversation.clock import Clock, SystemClock
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.in_flight import InFlight
from conversation.messages import InboundMessage
from conversation.notices import Notices
from conversation.outbound import Outbound
from conversation.providers.echo import EchoProvider
from conversation.providers.openai import OpenAIProvider
from conversation.providers.port import Provider
from conversation.repairs import Repairs
from conversation.stores.memory import MemoryStore
from conversation.stores.permits import Permits
from conversation.stores.port import Admission, Store, StoreUnavailableError
from conversation.stores.retention import Retention
from conversation.stores.sqlite import SqliteStore
from gateway import bot_settings as configured
from gateway import documents
from gateway.admin.access import playground_bot, selftest_bot
from gateway.admin.administration import Administration
from gateway.admin.agents import Agents
from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.admin.backup import Backup, Copy
from gateway.admin.bots import Bots
from gateway.admin.conversations import ConversationDesk
from gateway.admin.dead_letters import DeadLetters
from gateway.admin.events import Events
from gateway.admin.live import Live
from gateway.admin.manifests import Manifest, NeedView
from gateway.admin.playground import Playground
from gateway.admin.privacy import PersonalData
from gateway.admin.rotation import Rotation
from gateway.admin.selftest import SelfTest
from gateway.admin.status import BotStatuses
from gateway.admin.stored import Stored
from gateway.admin.tokens import Tokens
from gateway.admin.turns import Turns
from gateway.api import make_api
from gateway.api.idempotency import Repetitions
from gateway.app import make_admin_app, make_app
from gateway.bot_settings import Agent as AgentSettings
from gateway.bot_settings import AnyBot, SlackBot, StoredSlackBot
from gateway.canary import check_canary
from gateway.console import make_console
from gateway.console.oidc import Provider as IdentityProvider
from gateway.hosting import Hosting, Provisioned
from gateway.janitor import Janitor
from gateway.replies import Replies
from gateway.secret import Sources
from gateway.settings import Limits, Settings
from gateway.status import StatusBook
from gateway.webhooks import Webhooks

LARK_HOSTS = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}


@dataclass(frozen=True, slots=True)
class Gateway:
    """What runs. ``background`` is to be run, and ``started`` awaited, before ``app`` is served.

    ``admin`` is to be served at ``admin.listen``; None where that is not set, or the API is off. Then there is no
    ``administration`` either. ``beside``: what else runs in the background, by name.
    """

    app: web.Application
    admin: web.Application | None
    store: Store
    directory: Directory
    notices: Notices
    repairs: Repairs
    hosting: Hosting
    administration: Administration | None
    beside: Mapping[str, Callable[[], Coroutine[None, None, None]]]

    async def background(self, started: asyncio.Event) -> None:
        """Everything that runs beside HTTP, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.notices.run(), name="notices")
            tasks.create_task(self.repairs.run(), name="repairs")
            for name, run in self.beside.items():
                tasks.create_task(run(), name=name)
            tasks.create_task(self.hosting.run(lambda: self.directory.running_since), name="hosting")
            tasks.create_task(self.directory.run(started), name="directory")


@asynccontextmanager
async def build(
    settings: Settings, *, store: Store | None = None, clock: Clock | None = None
) -> AsyncIterator[Gateway]:
    """The gateway of these settings, with its store and connections open until the context ends.

    Raises StoreUnavailableError, WrongKeyError and CollisionError with what to do about it.
    """
    clock = clock or SystemClock()
    store = store or make_store(settings, clock)
    async with AsyncExitStack() as resources:
        await store.open()
        resources.push_async_callback(store.close)
        if settings.keyring is not None:
            await check_canary(settings.keyring, store.records)
        models = await resources.enter_async_context(connections())
        platforms = await resources.enter_async_context(connections())
        sources = Sources(os.environ, settings.directory, settings.keyring)
        provisioned = Provisioned(
            {agent.id: agent for agent in settings.agents}, {bot.id: bot for bot in settings.bots}
        )
        maker = Maker(
            settings.limits,
            models,
            platforms,
            store.permits,
            lambda bot: PlaygroundOutbound(bot, store.records, clock),
        )
        hosting = Hosting(provisioned, store.records, sources, maker)
        resources.push_async_callback(hosting.close)
        await hosting.start()
        in_flight = InFlight()
        executor = Executor(hosting.bots, hosting.agents, store.turns, store.transcripts, clock, in_flight)
        status = StatusBook(
            store.records, clock, lambda: {one.bot.id: one.channel for one in hosting.routes.values()}
        )
        actor = Actor(executor, store.turns, clock, keep_turns=settings.limits.max_turns, observer=status)
        directory = Directory(store, actor.run, clock, max_replies=settings.limits.max_replies)
        notices = Notices()
        repetitions = Repetitions(store.records, clock)
        replies = Replies(in_flight, store.records, clock, alone=store.exclusive)
        statuses = BotStatuses(hosting.routes, hosting.problems, status, store.conversations)
        administration = _administration(
            settings, store, hosting, sources, directory, clock, platforms, replies, status, statuses
        )
        beside = {
            "repetitions": repetitions.run,
            "replies": replies.run,
            "status": status.run,
            "scopes": statuses.run,
            "janitor": Janitor(store.records, clock).run,
        }
        webhooks = Webhooks(hosting, directory, notices, clock, status)
        if administration is None:
            app, admin = make_app(webhooks, directory), None
        else:
            api = make_api(administration, repetitions)
            console = make_console(
                administration, store.records, clock, models, provider=_identity_provider(settings)
            )
            if settings.admin.listen is None:
                app, admin = make_app(webhooks, directory, api, console), None
            else:
                app, admin = make_app(webhooks, directory), make_admin_app(api, console)
        repairs = Repairs(hosting.bots, store.turns)
        yield Gateway(app, admin, store, directory, notices, repairs, hosting, administration, beside)


def _administration(
    settings: Settings,
    store: Store,
    hosting: Hosting,
    sources: Sources,
    directory: Directory,
    clock: Clock,
    http: aiohttp.ClientSession,
    replies: Replies,
    status: StatusBook,
    statuses: BotStatuses,
) -> Administration | None:
    """None if nobody could use it."""
    if not settings.admin.on:
        return None

    async def admit(message: InboundMessage, limits: BotLimits) -> Admission:
        return await directory.admit(message, limits=limits)

    audit = Audit(store.audit)
    public_url = (settings.server.public_url or "").rstrip("/")
    bots = Stored(documents.BOTS, store.records, sources, audit, hosting.provisioned.bots, hosting.refresh)
    agents = Stored(
        documents.AGENTS, store.records, sources, audit, hosting.provisioned.agents, hosting.refresh
    )
    bot_desk = Bots(hosting, bots, public_url, make_manifest)
    return Administration(
        attempts=Attempts(clock),
        tokens=Tokens(store.records, audit, clock, bootstrap=_plain(settings.admin.token) or None),
        bots=bot_desk,
        agents=Agents(hosting, agents),
        rotation=Rotation(store.records, settings.keyring, audit),
        audit=audit,
        backup=Backup(copy_of(store), settings.store.path.parent, audit),
        privacy=PersonalData(store.privacy, lambda: list(hosting.routes), audit),
        events=Events(store.events),
        dead_letters=DeadLetters(store.turns, admit, hosting.limits, audit),
        conversations=ConversationDesk(
            hosting.bots, hosting.agents, hosting.routes, store, directory, audit, clock
        ),
        turns=Turns(hosting.routes, store, status),
        live=Live(hosting.bots, hosting.agents, hosting.routes, store, replies, clock),
        status=statuses,
        playground=Playground(hosting.bots, store, directory, clock),
        selftest=SelfTest(bot_desk, hosting.bots, hosting.routes, store, directory, audit, clock, http),
    )


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    given = settings.admin.oidc
    if given is None:
        return None
    return IdentityProvider(
        given.issuer, given.client_id, _plain(given.client_secret), given.claim, given.roles
    )


def copy_of(store: Store) -> Copy | None:
    """How a store that is a file is copied while it is used."""
    return store.backup if isinstance(store, SqliteStore) else None


def make_store(settings: Settings, clock: Clock) -> Store:
    """Raises StoreUnavailableError for a malformed address."""
    kept = Retention(settings.retention.transcripts, settings.retention.events, settings.retention.audit)
    match settings.store.kind:
        case "memory":
            return MemoryStore(clock, retention=kept)
        case "sqlite":
            return SqliteStore(settings.store.path, clock, retention=kept)
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
                    given.url,
                    namespace=given.namespace,
                    durability=given.durability,
                    login=login,
                    retention=kept,
                )
            except MalformedAddressError as error:
                raise StoreUnavailableError(f"store.url: {error}") from None


class Maker:
    """``hosting.Workshop``: makes agents, channels and bots of their settings."""

    def __init__(
        self,
        limits: Limits,
        models: aiohttp.ClientSession,
        platforms: aiohttp.ClientSession,
        permits: Permits | None,
        playground: Callable[[str], Outbound] | None = None,
    ) -> None:
        """``playground`` gives the outbound of a hidden bot; without it there are none."""
        self._playground = playground
        self._limits = limits
        self._models = models
        self._platforms = platforms
        self._permits = permits

    def agent(self, settings: AgentSettings) -> Agent:
        timeouts = settings.timeouts
        return Agent(
            id=settings.id,
            provider=self._provider(settings),
            system_prompt=settings.system_prompt,
            max_context_tokens=settings.max_context_tokens,
            max_turns=self._limits.max_turns,
            timeouts=Timeouts(timeouts.first_token, timeouts.idle, timeouts.reply),
        )

    def channel(self, settings: AnyBot) -> Channel:
        policy = ChannelPolicy(
            conversation_per=settings.conversation_per,
            respond_to=settings.respond_to,
            stream=settings.stream,
            locale=settings.locale,
        )
        if isinstance(settings, SlackBot | StoredSlackBot):
            return SlackChannel(
                settings.id,
                _slack_credentials(settings.complete),
                http=self._platforms,
                policy=policy,
                api_base_url=settings.api_base_url or "https://slack.com/api/",
                permits=self._permits,
            )
        return LarkChannel(
            settings.id,
            _lark_credentials(settings.credentials),
            http=self._platforms,
            policy=policy,
            api_base_url=settings.api_base_url or LARK_HOSTS[settings.region],
            permits=self._permits,
        )

    def bot(self, settings: AnyBot, agent: Agent, channel: Channel) -> Bot:
        return Bot(
            settings.id,
            agent,
            channel.outbound,
            Gates(
                enabled=settings.enabled,
                users=frozenset(settings.allow.users),
                chats=frozenset(settings.allow.chats),
                external_users=settings.external_users == "allow",
                max_age=settings.max_age,
            ),
            _limits(settings, self._limits),
            "queue" if settings.when_busy == "reject" else settings.when_busy,
            keep_texts=not settings.no_store,
        )

    def beside_agent(self, agent: Agent) -> Bot | None:
        return self._hidden(playground_bot(agent.id), agent, keep_texts=True)

    def beside_bot(self, bot: Bot) -> Bot | None:
        """Whoever tests it is let in, also while it is switched off, and nothing of the test is remembered."""
        return self._hidden(selftest_bot(bot.id), bot.agent, keep_texts=False)

    def _hidden(self, id: str, agent: Agent, *, keep_texts: bool) -> Bot | None:
        if self._playground is None:
            return None
        limits = BotLimits(queued=self._limits.max_queued, per_person=self._limits.max_replies_per_user)
        return Bot(id, agent, self._playground(id), limits=limits, keep_texts=keep_texts)

    def _provider(self, agent: AgentSettings) -> Provider:
        if agent.provider == "echo":
            return EchoProvider()
        return OpenAIProvider(
            model=agent.model, base_url=agent.base_url, api_key=_plain(agent.api_key), http=self._models
        )


def limits_of_bots(settings: Settings) -> Callable[[str, str], BotLimits | None]:
    """Of the file's bots that can answer, by channel and id."""
    found: dict[tuple[str, str], BotLimits] = {
        (bot.channel, bot.id): _limits(bot, settings.limits)
        for bot in settings.bots
        if bot.enabled and bot.complete is not None
    }
    return lambda channel, bot: found.get((channel, bot))


def _limits(bot: AnyBot, limits: Limits) -> BotLimits:
    return BotLimits(
        queued=0 if bot.when_busy == "reject" else limits.max_queued,
        replies=bot.max_replies or 0,
        per_person=limits.max_replies_per_user,
    )


def make_manifest(
    channel: Literal["slack", "lark"], id: str, region: Literal["feishu", "lark"], webhook_url: str
) -> Manifest:
    """For ``Bots``, and for a terminal."""
    if channel == "slack":
        written = slack_manifest.manifest(id, webhook_url)
        return Manifest(
            channel=channel,
            webhook_url=webhook_url,
            manifest=written,
            create_url=slack_manifest.create_url(written),
            scopes=tuple(map(NeedView.of, slack_manifest.SCOPES)),
            events=tuple(map(NeedView.of, slack_manifest.EVENTS)),
            console_url="https://api.slack.com/apps",
        )
    return Manifest(
        channel=channel,
        webhook_url=webhook_url,
        manifest=None,
        create_url=None,
        scopes=tuple(map(NeedView.of, lark_manifest.SCOPES)),
        events=tuple(map(NeedView.of, lark_manifest.EVENTS)),
        console_url=lark_manifest.CONSOLES[region],
    )


def _slack_credentials(given: configured.SlackCredentials | None) -> SlackCredentials | None:
    if given is None:
        return None
    return SlackCredentials(given.signing_secret.get_secret_value(), given.bot_token.get_secret_value())


def _lark_credentials(
    given: configured.LarkCredentials | configured.PartialLarkCredentials | None,
) -> LarkCredentials | None:
    """None where nothing is known by which even URL verification could be told from anybody's."""
    if given is None or not (given.encrypt_key or given.verification_token):
        return None
    return LarkCredentials(
        app_id=_plain(given.app_id),
        app_secret=_plain(given.app_secret),
        encrypt_key=_plain(given.encrypt_key),
        verification_token=_plain(given.verification_token),
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
