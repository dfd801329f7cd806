"""Puts the parts together; tests call ``build`` too."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import ChainMap
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp import web

from conversation.actor import Actor
from conversation.busy import Limits as BotLimits
from conversation.clock import Clock, SystemClock
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.in_flight import InFlight
from conversation.marks import Marks
from conversation.messages import InboundMessage, stable_id
from conversation.notices import Notices
from conversation.repairs import Repairs
from conversation.retries import Retries
from conversation.stores.port import Admission, Store
from gateway import documents
from gateway.admin.administration import Administration
from gateway.admin.agents import Agents
from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.admin.backup import Backup
from gateway.admin.bots import Bots
from gateway.admin.conversations import ConversationDesk
from gateway.admin.dead_letters import DeadLetters
from gateway.admin.events import Events
from gateway.admin.installations import BotInstallations
from gateway.admin.live import Live
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
from gateway.app import make_admin_app, make_app, make_metrics_app
from gateway.buttons import Buttons
from gateway.canary import check_canary
from gateway.concrete import (
    Installing,
    Maker,
    connections,
    copy_of,
    destination_of,
    make_manifest,
    make_store,
    plain,
    playground_of,
)
from gateway.console import make_console
from gateway.console.oidc import Provider as IdentityProvider
from gateway.direct_chats import DirectChatBook
from gateway.hosting import Hosting, Provisioned
from gateway.installs import Installs
from gateway.janitor import Janitor
from gateway.metrics import Metrics, metrics_route
from gateway.observers import Observers
from gateway.pulse import WAITING, Pulse
from gateway.replies import Replies
from gateway.sealing import sealer_of
from gateway.secret import Sources
from gateway.settings import Settings
from gateway.status import StatusBook
from gateway.tracing.destination import tracing as traces
from gateway.tracing.port import Tracing
from gateway.transports import Transports
from gateway.welcomes import Welcomes


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
    transports: Transports
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
async def build(  # noqa: PLR0915 - the list of what there is
    settings: Settings,
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[Gateway]:
    """The gateway of these settings, with its store and connections open until the context ends.

    Raises StoreUnavailableError, WrongKeyError and CollisionError with what to do about it.
    """
    clock = clock or SystemClock()
    metrics, engine = Metrics(), store or make_store(settings, clock)
    store = metrics.store.measured(engine)
    async with AsyncExitStack() as resources:
        if tracing is None:  # closed last: what ends meanwhile is traced
            tracing = await resources.enter_async_context(
                traces(destination_of(settings.telemetry), os.environ)
            )
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
            playground_of(store.records, clock),
            tracing,
            metrics=metrics,
            chats=DirectChatBook(store.records, clock),
            installing=Installing(
                store.records, sealer_of(settings.keyring), (settings.server.public_url or "").rstrip("/")
            ),
            clock=clock,
        )
        hosting = Hosting(provisioned, store.records, sources, maker)
        resources.push_async_callback(hosting.close)
        await hosting.start()
        in_flight = InFlight()
        retries, marks, notices = Retries(store.records, clock), Marks(), Notices()
        canary = maker.canary(WAITING)
        pulse = Pulse(canary, store.records, clock, metrics.canary, _replica(settings))
        executor = Executor(
            ChainMap(hosting.bots, {canary.id: canary}),
            hosting.agents,
            store.turns,
            store.transcripts,
            clock,
            in_flight,
            retries,
            marks,
        )
        status = StatusBook(
            store.records, clock, lambda: {one.bot.id: one.channel for one in hosting.routes.values()}
        )
        observers = Observers(status, metrics, pulse, *tracing.observers)
        actor = Actor(
            executor,
            store.turns,
            clock,
            keep_turns=settings.limits.max_turns,
            observer=observers,
        )
        directory = tracing.directory(
            store,
            tracing.turns(actor.run),
            clock,
            max_replies=settings.limits.max_replies,
            observer=metrics,
            lag=metrics.lag,
        )
        repetitions = Repetitions(store.records, clock)
        replies = Replies(in_flight, store.records, clock, alone=store.exclusive)
        statuses = BotStatuses(hosting.routes, hosting.problems, status, store.conversations)
        administration = _administration(
            settings, engine, hosting, sources, directory, clock, platforms, replies, status, statuses
        )
        beside = {
            "replies": replies.run,
            "status": status.run,
            "scopes": statuses.run,
            "janitor": Janitor(store.records, clock).run,
            "metrics": metrics.run,
            "marks": marks.run,
        }
        if settings.telemetry.canary:
            beside["canary"] = partial(pulse.run, directory, settings.telemetry.canary)
        webhooks = tracing.webhooks(
            hosting,
            directory,
            notices,
            clock,
            observers,
            Buttons(store, directory, retries, notices, clock),
            Welcomes(store, notices, clock),
            marks,
        )
        transports = Transports(hosting, webhooks, directory)
        beside["transports"] = transports.run
        metrics.connections = lambda: transports.connections
        exposed = metrics_route(metrics, directory, hosting.routes, store.conversations)
        installs = Installs(hosting, secure=(settings.server.public_url or "").startswith("https:"))
        if administration is None and settings.admin.listen is not None:
            app, admin = make_app(webhooks, directory, installs), make_metrics_app(exposed)
        elif administration is None:
            app, admin = make_app(webhooks, directory, installs, exposed), None
        else:
            api = make_api(administration, repetitions)
            console = make_console(
                administration, store.records, clock, models, provider=_identity_provider(settings)
            )
            if settings.admin.listen is None:
                app, admin = make_app(webhooks, directory, installs, exposed, api, console), None
            else:
                app, admin = make_app(webhooks, directory, installs), make_admin_app(exposed, api, console)
        repairs = Repairs(hosting.bots, store.turns)
        yield Gateway(
            app, admin, engine, directory, notices, repairs, hosting, administration, transports, beside
        )


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
        tokens=Tokens(store.records, audit, clock, bootstrap=plain(settings.admin.token) or None),
        bots=bot_desk,
        installations=BotInstallations(hosting, audit),
        agents=Agents(hosting, agents),
        rotation=Rotation(store.records, settings.keyring, audit),
        audit=audit,
        backup=Backup(copy_of(store), settings.store.path.parent, audit),
        privacy=PersonalData(
            store.privacy, Retries(store.records, clock), lambda: list(hosting.routes), audit
        ),
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


def _replica(settings: Settings) -> str:
    """Names this gateway among those of its store, the same after a restart."""
    return stable_id("canary", socket.gethostname(), str(settings.server.port))


def _identity_provider(settings: Settings) -> IdentityProvider | None:
    given = settings.admin.oidc
    if given is None:
        return None
    return IdentityProvider(
        given.issuer, given.client_id, plain(given.client_secret), given.claim, given.roles
    )
