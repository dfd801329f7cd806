"""The concrete stores, channels and providers, made of their settings. This module alone names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urljoin
from urllib.request import getproxies_environment

import aiohttp
from pydantic import SecretStr

from channels.lark import LarkChannel, LarkCredentials
from channels.lark import manifest as lark_manifest
from channels.lark.direct import ChatBook
from channels.lark.store_app import StoreApp
from channels.playground import PlaygroundOutbound
from channels.port import Channel, ChannelPolicy
from channels.sealing import Sealer
from channels.slack import SlackChannel, SlackCredentials
from channels.slack import manifest as slack_manifest
from channels.slack.install.installer import AUTHORIZE_URL
from channels.slack.install.workspaces import Keeping, OAuthApp, Workspaces
from conversation.bot import Agent, Bot, Gates, Timeouts
from conversation.busy import Limits as BotLimits
from conversation.clock import Clock
from conversation.courtesies import Greeting, Suggestion
from conversation.outbound import Outbound
from conversation.providers.echo import EchoProvider
from conversation.providers.openai import OpenAIProvider
from conversation.providers.port import Provider
from conversation.stores.memory import MemoryStore
from conversation.stores.permits import Permits
from conversation.stores.port import Store, StoreUnavailableError
from conversation.stores.records import Records
from conversation.stores.retention import Retention
from conversation.stores.sqlite import SqliteStore
from gateway import bot_settings as configured
from gateway.admin.access import CANARY_BOT, playground_bot, selftest_bot
from gateway.admin.backup import Copy
from gateway.admin.manifests import Manifest, NeedView
from gateway.bot_settings import Agent as AgentSettings
from gateway.bot_settings import AnyBot, LarkBot, SlackBot, StoredLarkBot, StoredSlackBot
from gateway.metrics import Metrics
from gateway.settings import Limits, Settings, Telemetry
from gateway.tracing.destination import Destination
from gateway.tracing.port import Model, Tracing, Untraced

_LONGEST_TITLE = 75
"""Characters of what a suggested question is called."""

SLACK_API = "https://slack.com/api/"
LARK_HOSTS = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}


def redirect_url(public_url: str, bot: str) -> str:
    """Where Slack sends people back who install this bot."""
    return f"{public_url}/slack/{bot}/oauth_redirect"


def empty_store(clock: Clock) -> Store:
    """In memory, for who has to go on without the store."""
    return MemoryStore(clock)


def copy_of(store: Store) -> Copy | None:
    """How a store that is a file is copied while it is used."""
    return store.backup if isinstance(store, SqliteStore) else None


def playground_of(records: Records, clock: Clock) -> Callable[[str], Outbound]:
    """By the id of a hidden bot, its outbound."""
    return lambda bot: PlaygroundOutbound(bot, records, clock)


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
                plain(given.password) or None,
                plain(given.sentinel_password) or None,
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


@dataclass(frozen=True, slots=True)
class Installing:
    """What a bot needs that is installed into several workspaces or tenants. ``public_url``: this gateway's, without
    a slash at its end; empty if it is not known.
    """

    records: Records
    sealer: Sealer | None
    public_url: str


class Maker:
    """``hosting.Workshop``: makes agents, channels and bots of their settings."""

    def __init__(
        self,
        limits: Limits,
        models: aiohttp.ClientSession,
        platforms: aiohttp.ClientSession,
        permits: Permits | None,
        playground: Callable[[str], Outbound] | None = None,
        tracing: Tracing = Untraced(),  # noqa: B008 - has no state
        *,
        metrics: Metrics | None = None,
        chats: ChatBook | None = None,
        installing: Installing,
        clock: Clock,
    ) -> None:
        """``playground`` gives the outbound of a hidden bot; without it there are none."""
        self._installing = installing
        self._clock = clock
        self._tracing = tracing
        self._metrics = metrics or Metrics()
        self._chats = chats
        self._playground = playground
        self._limits = limits
        self._models = models
        self._platforms = platforms
        self._permits = permits

    def agent(self, settings: AgentSettings) -> Agent:
        timeouts = settings.timeouts
        return Agent(
            id=settings.id,
            provider=self._watched(settings),
            system_prompt=settings.system_prompt,
            max_context_tokens=settings.max_context_tokens,
            images=settings.images,
            max_turns=self._limits.max_turns,
            timeouts=Timeouts(timeouts.first_token, timeouts.idle, timeouts.reply),
        )

    def channel(self, settings: AnyBot) -> Channel:
        policy = ChannelPolicy(
            conversation_per=settings.conversation_per,
            respond_to=settings.respond_to,
            stream=settings.stream,
            locale=settings.locale,
            wordless="zh" if settings.channel == "lark" and settings.region == "feishu" else "en",
        )
        if isinstance(settings, SlackBot | StoredSlackBot):
            credentials = _slack_credentials(settings.complete, socket=settings.transport == "socket")
            base_url = settings.api_base_url or SLACK_API
            return SlackChannel(
                settings.id,
                credentials,
                http=self._platforms,
                policy=policy,
                api_base_url=base_url,
                permits=self._permits,
                watch=self._metrics.platforms.watch("slack", settings.id),
                clock=self._clock,
                several=self._workspaces(settings.id, credentials, base_url, policy),
            )
        lark = _lark_credentials(settings.credentials)
        return LarkChannel(
            settings.id,
            lark,
            http=self._platforms,
            policy=policy,
            api_base_url=settings.api_base_url or LARK_HOSTS[settings.region],
            permits=self._permits,
            watch=self._metrics.platforms.watch("lark", settings.id),
            chats=self._chats,
            clock=self._clock,
            long_connection=settings.transport == "long_connection",
            store=self._store_app(settings, lark, policy) if settings.app_type == "store" else None,
        )

    def _store_app(
        self, settings: LarkBot | StoredLarkBot, credentials: LarkCredentials | None, policy: ChannelPolicy
    ) -> StoreApp | None:
        """None of a draft."""
        if credentials is None or not (credentials.app_id and credentials.app_secret):
            return None
        return StoreApp(
            settings.id,
            credentials,
            self._installing.records,
            self._installing.sealer,
            http=self._platforms,
            base_url=settings.api_base_url or LARK_HOSTS[settings.region],
            stream=policy.stream,
            permits=self._permits,
            watch=self._metrics.platforms.watch("lark", settings.id),
        )

    def _workspaces(
        self, bot: str, credentials: SlackCredentials | None, base_url: str, policy: ChannelPolicy
    ) -> Workspaces | None:
        """None of a bot that has the token of its one workspace."""
        if credentials is None or not credentials.client_id:
            return None
        here = self._installing
        app = OAuthApp(
            bot,
            credentials.client_id,
            credentials.client_secret,
            redirect_url(here.public_url, bot) if here.public_url else "",
            AUTHORIZE_URL if base_url == SLACK_API else urljoin(base_url, "/oauth/v2/authorize"),
            base_url,
        )
        keeping = Keeping(here.records, here.sealer, self._clock)
        watch = self._metrics.platforms.watch("slack", bot)
        return Workspaces(
            app, keeping, http=self._platforms, policy=policy, permits=self._permits, watch=watch
        )

    def bot(self, settings: AnyBot, agent: Agent, channel: Channel) -> Bot:
        return Bot(
            settings.id,
            agent,
            self._tracing.outbound(channel.outbound),
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
            choices=settings.agents,
            feedback=settings.feedback,
            greeting=_greeting(settings.welcome),
            source=channel.source,
            enclosures=channel.enclosures,
        )

    def beside_agent(self, agent: Agent) -> Bot | None:
        return self._hidden(playground_bot(agent.id), agent, keep_texts=True)

    def beside_bot(self, bot: Bot) -> Bot | None:
        """Whoever tests it is let in, also while it is switched off, and nothing of the test is remembered."""
        return self._hidden(selftest_bot(bot.id), bot.agent, keep_texts=False)

    def canary(self, waiting: int) -> Bot:
        """The hidden bot of ``gateway.pulse``: an echo, of which nothing is remembered."""
        agent = Agent(CANARY_BOT, self._tracing.provider(EchoProvider(), Model("echo", "echo")))
        bot = self._hidden(CANARY_BOT, agent, keep_texts=False)
        assert bot is not None, "the canary's answers are shown by the playground's outbound"
        return replace(bot, limits=BotLimits(queued=waiting))

    def _hidden(self, id: str, agent: Agent, *, keep_texts: bool) -> Bot | None:
        if self._playground is None:
            return None
        limits = BotLimits(queued=self._limits.max_queued, per_person=self._limits.max_replies_per_user)
        outbound = self._tracing.outbound(self._playground(id))
        return Bot(id, agent, outbound, limits=limits, keep_texts=keep_texts)

    def _watched(self, agent: AgentSettings) -> Provider:
        model = _model(agent)
        measured = self._metrics.models.measured(self._provider(agent), model.provider, model.name)
        return self._tracing.provider(measured, model)

    def _provider(self, agent: AgentSettings) -> Provider:
        if agent.provider == "echo":
            return EchoProvider()
        return OpenAIProvider(
            model=agent.model, base_url=agent.base_url, api_key=plain(agent.api_key), http=self._models
        )


def destination_of(given: Telemetry) -> Destination:
    headers = {name: plain(value) for name, value in (given.otlp_headers or {}).items()}
    return Destination(given.otlp_endpoint or "", headers, given.sample)


def _model(agent: AgentSettings) -> Model:
    if agent.provider == "echo":
        return Model("echo", agent.model or "echo")
    return Model(agent.provider, agent.model, agent.base_url)


def _greeting(welcome: configured.Welcome) -> Greeting | None:
    if not welcome.enabled:
        return None
    return Greeting(
        welcome.text,
        tuple(Suggestion(prompt[:_LONGEST_TITLE], prompt) for prompt in welcome.prompts),
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
    channel: Literal["slack", "lark"],
    id: str,
    region: Literal["feishu", "lark"],
    webhook_url: str,
    *,
    several: bool | None,
    socket: bool,
) -> Manifest:
    """For ``Bots``, and for a terminal."""
    if channel == "slack":
        public_url = webhook_url.partition("/webhooks/")[0]
        back = redirect_url(public_url, id) if public_url and several is not False else ""
        written = slack_manifest.manifest(id, webhook_url, redirect_url=back, socket=socket)
        return Manifest(
            channel=channel,
            webhook_url=webhook_url,
            manifest=written,
            create_url=slack_manifest.create_url(written),
            redirect_url=back or None,
            install_url=f"{public_url}/slack/{id}/install" if several and public_url else None,
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


def _slack_credentials(given: configured.SlackCredentials | None, *, socket: bool) -> SlackCredentials | None:
    if given is None:
        return None
    return SlackCredentials(
        signing_secret=plain(given.signing_secret),
        bot_token=plain(given.bot_token),
        app_token=plain(given.app_token) if socket else "",
        client_id=plain(given.client_id),
        client_secret=plain(given.client_secret),
    )


def _lark_credentials(
    given: configured.LarkCredentials | configured.PartialLarkCredentials | None,
) -> LarkCredentials | None:
    """None where nothing is known by which even URL verification could be told from anybody's."""
    if given is None or not (given.encrypt_key or given.verification_token):
        return None
    return LarkCredentials(
        app_id=plain(given.app_id),
        app_secret=plain(given.app_secret),
        encrypt_key=plain(given.encrypt_key),
        verification_token=plain(given.verification_token),
    )


def plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def connections() -> aiohttp.ClientSession:
    """A pool without a limit of its own: what may run at once is decided by slots and budgets. Every request
    brings its own timeouts. Goes through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        # Each request looks for them anew, and for a netrc: only where there is a proxy at all.
        trust_env=bool(getproxies_environment()),
    )
