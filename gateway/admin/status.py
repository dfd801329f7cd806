"""How a bot fares, as an admin sees it: what arrived, what was answered, what waits, what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime

import structlog

from conversation.outbound import DeliveryError
from conversation.stores.conversations import Conversations
from gateway.admin.access import Permission, Principal
from gateway.admin.conversation_views import View, moment
from gateway.admin.errors import UnknownError
from gateway.admin.explanations import error_sentence
from gateway.hosting import HostedBot
from gateway.status import StatusBook

LOOK_EVERY = 0.5
"""Seconds between two looks of somebody who watches."""

SCOPES_KNOWN_FOR = 60.0
"""Seconds after which a platform is asked again which scopes an app has."""

PATIENCE = 15.0
"""Seconds that a platform may take to tell."""

_log = structlog.get_logger()


class StatusView(View):
    """Counts are since the bot was made. ``acks`` by what was answered (accepted, duplicate, refused, ignored,
    challenge, rejected, unavailable), ``replies`` by outcome, the others by reason.

    ``challenge_at``: the platform last asked whether the URL is ours. Events are authentic requests that are no
    challenge. ``last_error`` is a word, ``last_error_en`` and ``last_error_zh`` say it. ``ack_ms_p99`` is of the last
    one to two hours. ``held_back_seconds``: a call to the platform would wait so long in this process.
    ``missing_scopes`` is None where it is not known (yet).
    """

    challenge_at: datetime | None
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    last_error_en: str | None
    last_error_zh: str | None
    acks: dict[str, int]
    replies: dict[str, int]
    notices: dict[str, int]
    rejected: dict[str, int]
    ignored: dict[str, int]
    ack_ms_p99: float | None
    running: int
    waiting: int
    held_back_seconds: float
    missing_scopes: tuple[str, ...] | None
    seen_events: tuple[str, ...]


class BotStatuses:
    """``routes``: the bots on platforms, by channel and id, as they are now; ``problems`` of those that could not be
    brought into force, by kind and id. ``run`` asks platforms for scopes.
    """

    def __init__(
        self,
        routes: Mapping[tuple[str, str], HostedBot],
        problems: Mapping[tuple[str, str], str],
        book: StatusBook,
        conversations: Conversations,
    ) -> None:
        self._routes = routes
        self._problems = problems
        self._book = book
        self._conversations = conversations
        self._scopes: dict[str, tuple[float, tuple[str, ...] | None]] = {}
        self._wanted: set[str] = set()
        self._somebody_looks = asyncio.Event()

    async def of(self, who: Principal, bot: str) -> StatusView:
        """Raises UnknownError and NotAllowedError. A bot that could not be brought into force has a status too."""
        self._check(who, bot)
        return await self._view(bot)

    def watch(self, who: Principal, bot: str) -> AsyncGenerator[StatusView, None]:
        """The status, now and whenever it has changed. It never ends by itself. Raises as ``of``, at once."""
        self._check(who, bot)
        return self._watch(bot)

    async def run(self) -> None:
        """Ask platforms, for whoever looks, until cancelled."""
        while True:
            await self._somebody_looks.wait()
            self._somebody_looks.clear()
            wanted, self._wanted = self._wanted, set()
            async with asyncio.TaskGroup() as asking:
                for bot in wanted:
                    asking.create_task(self._ask_for_scopes(bot), name=f"scopes of {bot}")

    async def _watch(self, bot: str) -> AsyncGenerator[StatusView, None]:
        shown: StatusView | None = None
        while True:
            view = await self._view(bot)
            if view != shown:
                shown = view
                yield view
            await asyncio.sleep(LOOK_EVERY)

    async def _view(self, bot: str) -> StatusView:
        tally, load = await asyncio.gather(self._book.tally(bot), self._conversations.load(bot))
        hosted = self._hosted(bot)
        p99 = tally.ack_p99()
        said = error_sentence(tally.last_error) if tally.last_error else None
        return StatusView(
            challenge_at=_moment(tally.challenge_at),
            first_event_at=_moment(tally.first_event_at),
            last_event_at=_moment(tally.last_event_at),
            last_error_at=_moment(tally.last_error_at),
            last_error=tally.last_error or None,
            last_error_en=None if said is None else said.en,
            last_error_zh=None if said is None else said.zh,
            acks=dict(tally.acks),
            replies=dict(tally.replies),
            notices=dict(tally.notices),
            rejected=dict(tally.rejected),
            ignored=dict(tally.ignored),
            ack_ms_p99=None if p99 is None else round(p99 * 1000, 1),
            running=load.running,
            waiting=load.waiting,
            held_back_seconds=0.0 if hosted is None else round(hosted.channel.held_back, 1),
            missing_scopes=None if hosted is None else self._missing_scopes(bot),
            seen_events=tally.seen_events,
        )

    def _missing_scopes(self, bot: str) -> tuple[str, ...] | None:
        """As they were last heard of."""
        now = asyncio.get_running_loop().time()
        asked_at, missing = self._scopes.get(bot, (-SCOPES_KNOWN_FOR, None))
        if now - asked_at >= SCOPES_KNOWN_FOR:
            self._scopes[bot] = now, missing
            self._wanted.add(bot)
            self._somebody_looks.set()
        return missing

    async def _ask_for_scopes(self, bot: str) -> None:
        hosted = self._hosted(bot)
        missing = None
        if hosted is None:
            self._scopes.pop(bot, None)
            return
        try:
            async with asyncio.timeout(PATIENCE):
                missing = await hosted.channel.missing_scopes()
        except (DeliveryError, TimeoutError) as error:
            _log.info("scopes not known", bot=bot, cause=str(error))
        except Exception:  # noqa: BLE001 - the boundary of a courtesy: a bug in it must not end the process
            _log.exception("asking for scopes broke", bot=bot)
        self._scopes[bot] = asyncio.get_running_loop().time(), missing

    def _hosted(self, bot: str) -> HostedBot | None:
        return next((hosted for (_, id), hosted in self._routes.items() if id == bot), None)

    def _check(self, who: Principal, bot: str) -> None:
        known = self._hosted(bot) is not None or ("bot", bot) in self._problems
        if not known or not who.sees(bot):
            raise UnknownError(f"there is no bot {bot!r}")
        who.check(Permission.READ, bot)


def _moment(at: float) -> datetime | None:
    return moment(at) if at else None
