"""What was seen of a bot: kept by the gateway as it happens, followed here."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.access import Principal
from gateway.admin.bots import BotView
from gateway.admin.errors import UnknownError
from gateway.admin.status import StatusView
from gateway.console.console import Console, caller


async def status_of(console: Console, who: Principal, bot: BotView) -> StatusView:
    """Of a bot that this process has not heard of yet: nothing was seen."""
    try:
        return await console.administration.status.of(who, bot.id)
    except UnknownError:
        return NOTHING_SEEN


async def expected_events(console: Console, who: Principal, bot: BotView) -> tuple[str, ...]:
    """The events that the platform has to send, but for those that the bot can do without."""
    manifest = await console.administration.bots.manifest(who, bot.id)
    return tuple(one.name for one in manifest.events if not one.optional)


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def followed(request: web.Request) -> web.StreamResponse:
        who = caller(request)
        bot = await desk.bots.get(who, request.match_info["id"])
        expected = await expected_events(console, who, bot)
        return await console.stream(
            request,
            "bot_status.html",
            desk.status.watch(who, bot.id),
            lambda status: {"status": status, "expected": expected},
        )

    return [web.get("/bots/{id}/status", followed)]


NOTHING_SEEN = StatusView(
    challenge_at=None,
    first_event_at=None,
    last_event_at=None,
    last_error_at=None,
    last_error=None,
    last_error_en=None,
    last_error_zh=None,
    acks={},
    replies={},
    notices={},
    rejected={},
    ignored={},
    ack_ms_p99=None,
    running=0,
    waiting=0,
    held_back_seconds=0.0,
    missing_scopes=None,
    seen_events=(),
)
