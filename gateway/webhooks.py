"""One handler for all that platforms send: find the bot, let its channel read the request, do what it asks.

Invariant: 200 ``accepted`` is answered only after the message is durable in its conversation's queue.
"""

from __future__ import annotations

import time
from dataclasses import replace

import structlog
from aiohttp import web

from channels.port import (
    NOTHING_TO_SAY,
    PROBE_TENANT,
    Challenge,
    Edited,
    Ignored,
    Ordered,
    Pressed,
    Received,
    Rejected,
    Revoked,
    StopReply,
    TakenBack,
    Told,
    Upkeep,
    Visited,
    WebhookRequest,
)
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.directory import Directory
from conversation.marks import Marks
from conversation.messages import InboundMessage
from conversation.notices import Notices
from conversation.stores.port import StoreUnavailableError
from conversation.turn import Reason
from gateway.body import read_body
from gateway.buttons import Buttons
from gateway.hosting import HostedBot, Hosting
from gateway.metrics import Metrics
from gateway.status import StatusBook
from gateway.welcomes import Welcomes

ADMISSION = "X-Turnkeeper-Admission"

_NOTHING_TO_STOP = "ignored; reason=nothing_to_stop"

_log = structlog.get_logger()


class Webhooks:
    """Handles ``POST /webhooks/{channel}/{bot}`` for the bots that are hosted."""

    def __init__(
        self,
        hosting: Hosting,
        directory: Directory,
        notices: Notices,
        clock: Clock,
        status: StatusBook,
        metrics: Metrics,
        buttons: Buttons,
        welcomes: Welcomes,
        marks: Marks,
    ) -> None:
        self._buttons = buttons
        self._welcomes = welcomes
        self._marks = marks
        self._metrics = metrics
        self._status = status
        self._hosting = hosting
        self._directory = directory
        self._notices = notices
        self._clock = clock

    async def handle(self, request: web.Request) -> web.Response:
        channel, id = request.match_info["channel"], request.match_info["bot"]
        hosted = self._hosting.routes.get((channel, id))
        if hosted is None and ("bot", id) in self._hosting.problems:
            return web.Response(status=503, headers={"Retry-After": "60"}, text="this bot needs its admin")
        if hosted is None:
            return web.Response(status=404, text="there is no such bot")
        body = await read_body(request)
        return await self.take(channel, hosted, WebhookRequest(request.headers, body, self._clock.now()))

    async def take(self, channel: str, hosted: HostedBot, request: WebhookRequest) -> web.Response:
        """Answer a request to this bot, however it came."""
        begun = time.perf_counter()
        received = hosted.channel.receive(request)
        try:
            response = await self._do(hosted, received)
        except StoreUnavailableError as error:
            _log.warning("webhook not taken", bot=hosted.bot.id, cause=str(error))
            response = web.Response(status=503, headers={"Retry-After": "5"}, text="try again")
        self._count(channel, hosted.bot, received, response, time.perf_counter() - begun)
        return response

    def _count(
        self, channel: str, bot: Bot, received: Received, response: web.Response, seconds: float
    ) -> None:
        if isinstance(received, Challenge) and PROBE_TENANT.encode() in received.body:
            return  # not the platform's: a self-test's
        what, _, reason = response.headers.get(ADMISSION, "").partition("; reason=")
        if isinstance(received, Rejected):
            what, reason = "rejected", received.reason
        what = what or "unavailable"
        self._status.answered(bot.id, what, reason, seconds)
        self._metrics.answered(channel, bot.id, what, seconds)

    async def _do(  # noqa: C901, PLR0911, PLR0912 - one for each kind
        self, hosted: HostedBot, received: Received
    ) -> web.Response:
        bot = hosted.bot
        match received:
            case InboundMessage():
                return await self._admit(bot, received)
            case Ordered(message, taken):
                return await self._admit(bot, message, taken)
            case Told(body):
                return _answer("accepted", body)
            case Edited(message):
                replaced = await self._directory.edit(message)
                return _answer("accepted" if replaced else "ignored; reason=edited")
            case Pressed():
                admission, said = await self._buttons.pressed(bot, hosted.channel, received)
                return _answer(admission, NOTHING_TO_SAY if said is None else said)
            case Visited():
                return _answer(await self._welcomes.opened(bot, received))
            case Revoked(what):
                _log.warning("credentials revoked", bot=bot.id, cause=what)
                return _answer("accepted")
            case StopReply():
                return await self._stop(bot, received)
            case TakenBack(turn_id):
                ended = await self._directory.take_back(bot.id, turn_id)
                return _answer("accepted" if ended else _NOTHING_TO_STOP)
            case Challenge(answer):
                return _answer("challenge", answer)
            case Ignored(reason, body):
                return _answer(f"ignored; reason={reason}", body)
            case Upkeep(keep, reason):
                await keep()
                return _answer(f"ignored; reason={reason}")
            case Rejected(status, reason):
                _log.warning("webhook rejected", bot=bot.id, status=status, cause=reason)
                return web.Response(status=status, text=reason)

    async def _admit(self, bot: Bot, message: InboundMessage, taken: bytes = NOTHING_TO_SAY) -> web.Response:
        message = _choosable(bot, message)
        refusal = bot.gates.on_arrival(message, self._clock.now())
        admission = await self._directory.admit(
            message, limits=bot.limits, when_busy=bot.when_busy, refusal=refusal
        )
        if admission.notice_due:
            self._notices.send(bot.outbound, message, Reason.QUEUE_FULL)
        match admission.status:
            case "duplicate":
                return _answer("duplicate", taken)
            case "queue_full":
                return _answer("refused; reason=queue_full", taken)
            case "accepted":
                if refusal is None:
                    self._marks.received(bot.outbound, message)
                return _answer(f"refused; reason={refusal}" if refusal else "accepted", taken)

    async def _stop(self, bot: Bot, wish: StopReply) -> web.Response:
        refusal = bot.gates.refusal_to_stop(wish.by, wish.key, wish.asked_at, self._clock.now())
        if refusal is not None:
            return _answer(f"ignored; reason={refusal}", wish.nothing)
        if await self._directory.stop(wish.key, wish.request, wish.asked_at):
            return _answer("accepted", wish.done)
        return _answer(_NOTHING_TO_STOP, wish.nothing)


def _choosable(bot: Bot, message: InboundMessage) -> InboundMessage:
    """A wish for an agent that people of this bot may not choose is answered with those that they may."""
    command = message.command
    if command is None or command.kind != "bind" or command.agent in bot.selectable:
        return message
    return replace(message, command=None, text="/agent", asks="agents")


def _answer(admission: str, body: bytes = NOTHING_TO_SAY) -> web.Response:
    return web.Response(
        body=body, headers={ADMISSION: admission, "Content-Type": "application/json; charset=utf-8"}
    )
