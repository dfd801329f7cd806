"""One handler for all that platforms send: find the bot, let its channel read the request, do what it asks.

Invariant: 200 ``accepted`` is answered only after the message is durable in its conversation's queue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import structlog
from aiohttp import web

from channels.port import PROBE_TENANT
from channels.received import (
    NOTHING_TO_SAY,
    Challenge,
    Edited,
    Ignored,
    Later,
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
from gateway.observers import Watcher
from gateway.verdict import ACCEPTED, DUPLICATE, NOTHING_TO_STOP, Verdict, ignored
from gateway.welcomes import Welcomes

ADMISSION = "X-Turnkeeper-Admission"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Answer:
    """``body`` is for the platform; who is not let in reads the reason instead."""

    verdict: Verdict
    body: bytes = NOTHING_TO_SAY
    status: int = 200

    def response(self) -> web.Response:
        match self.verdict.what:
            case "unavailable":
                return web.Response(status=self.status, headers={"Retry-After": "5"}, text="try again")
            case "rejected":
                return web.Response(status=self.status, text=self.verdict.reason)
        return web.Response(
            status=self.status,
            body=self.body,
            headers={ADMISSION: str(self.verdict), "Content-Type": "application/json; charset=utf-8"},
        )


class Webhooks:
    """Handles ``POST /webhooks/{channel}/{bot}`` for the bots that are hosted."""

    def __init__(
        self,
        hosting: Hosting,
        directory: Directory,
        notices: Notices,
        clock: Clock,
        watcher: Watcher,
        buttons: Buttons,
        welcomes: Welcomes,
        marks: Marks,
    ) -> None:
        """``watcher`` is told of every answer to a platform."""
        self._watcher = watcher
        self._buttons = buttons
        self._welcomes = welcomes
        self._marks = marks
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
            answer = await self._do(hosted, received)
        except StoreUnavailableError as error:
            _log.warning("webhook not taken", bot=hosted.bot.id, cause=str(error))
            answer = _Answer(Verdict("unavailable"), status=503)
        if not _is_probe(received):
            verdict, seconds = answer.verdict, time.perf_counter() - begun
            self._watcher.answered(channel, hosted.bot.id, verdict.what, verdict.reason, seconds)
        return answer.response()

    async def _do(  # noqa: C901, PLR0911, PLR0912 - one for each kind
        self, hosted: HostedBot, received: Received
    ) -> _Answer:
        bot = hosted.bot
        match received:
            case InboundMessage():
                return await self._admit(bot, received)
            case Ordered(message, taken):
                return await self._admit(bot, message, taken)
            case Told(body):
                return _Answer(ACCEPTED, body)
            case Edited(message, or_new):
                if await self._directory.edit(message):
                    return _Answer(ACCEPTED)
                return await self._admit(bot, message) if or_new else _Answer(ignored("edited"))
            case Pressed():
                verdict, said = await self._buttons.pressed(bot, hosted.channel, received)
                return _Answer(verdict, NOTHING_TO_SAY if said is None else said)
            case Later(meant):
                return await self._do(hosted, await meant())
            case Visited():
                return _Answer(await self._welcomes.opened(bot, received))
            case Revoked(what):
                _log.warning("credentials revoked", bot=bot.id, cause=what)
                return _Answer(ignored(what))
            case StopReply():
                return await self._stop(bot, received)
            case TakenBack(turn_id):
                ended = await self._directory.take_back(bot.id, turn_id)
                return _Answer(ACCEPTED if ended else NOTHING_TO_STOP)
            case Challenge(answer):
                return _Answer(Verdict("challenge"), answer)
            case Ignored(reason, body):
                return _Answer(ignored(reason), body)
            case Upkeep(keep, reason):
                await keep()
                return _Answer(ignored(reason))
            case Rejected(status, reason):
                _log.warning("webhook rejected", bot=bot.id, status=status, cause=reason)
                return _Answer(Verdict("rejected", reason), status=status)

    async def _admit(self, bot: Bot, message: InboundMessage, taken: bytes = NOTHING_TO_SAY) -> _Answer:
        message = self._choosable(bot, message)
        refusal = bot.gates.on_arrival(message, self._clock.now())
        admission = await self._directory.admit(
            message, limits=bot.limits, when_busy=bot.when_busy, refusal=refusal
        )
        if admission.notice_due:
            self._notices.send(bot.outbound, message, Reason.QUEUE_FULL)
        match admission.status:
            case "duplicate":
                return _Answer(DUPLICATE, taken)
            case "queue_full":
                return _Answer(Verdict("refused", Reason.QUEUE_FULL), taken)
            case "accepted":
                if refusal is None:
                    self._marks.received(bot.outbound, message)
                return _Answer(Verdict("refused", refusal) if refusal else ACCEPTED, taken)

    def _choosable(self, bot: Bot, message: InboundMessage) -> InboundMessage:
        """A wish for an agent that people of this bot may not choose is answered with those that they may."""
        command = message.command
        if command is None or command.kind != "bind":
            return message
        if command.agent in bot.selectable and command.agent in self._hosting.agents:
            return message
        return replace(message, command=None, text="/agent", asks="agents")

    async def _stop(self, bot: Bot, wish: StopReply) -> _Answer:
        refusal = bot.gates.refusal_to_stop(wish.by, wish.key, wish.asked_at, self._clock.now())
        if refusal is not None:
            return _Answer(ignored(refusal), wish.nothing)
        if await self._directory.stop(wish.key, wish.request, wish.asked_at):
            return _Answer(ACCEPTED, wish.done)
        return _Answer(NOTHING_TO_STOP, wish.nothing)


def _is_probe(received: Received) -> bool:
    """Whether it is not the platform's, but a self-test's."""
    return isinstance(received, Challenge) and PROBE_TENANT.encode() in received.body
