"""The self-test of a bot: a synthetic, signed event through the whole path, and what its platform says.

Invariant: what it does leaves no trace at the platform: the event is the bot's own, answered by a hidden bot whose
outbound is the playground.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

import aiohttp
import orjson

from channels.playground import CHANNEL, Chats
from channels.port import PROBE_TENANT, Channel
from channels.received import Challenge, Ignored, Rejected
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.directory import Directory
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender, stable_id
from conversation.outbound import DeliveryError
from conversation.stores.port import Store
from gateway.admin.access import Permission, Principal, selftest_bot
from gateway.admin.admitting import Admitting
from gateway.admin.audit import Audit
from gateway.admin.bots import Bots, BotView
from gateway.admin.conversation_views import View
from gateway.admin.errors import ConflictError, UnknownError
from gateway.admin.explanations import error_sentence
from gateway.bot_settings import lacking_in_slack
from gateway.hosting import HostedBot

QUESTION = "This is a self-test of the bot. Please answer with one short sentence."

WEBHOOK_PATIENCE = 10.0
PLATFORM_PATIENCE = 20.0
"""Seconds for an answer of the webhook URL, and of the platform."""

QUEUE_PATIENCE = 60.0
"""Seconds that the reply may take beyond the agent's own timeouts: it may wait for a free place."""

LOOK_EVERY = 0.2
"""Seconds between two looks at the answer."""


class TestFinding(View):
    """``step`` is one of STEPS. ``ok`` None: it is going on, or it could not be told; ``detail`` says which, and what
    to do. ``seconds``: how long it took.
    """

    __test__ = False  # it is no test of pytest's

    step: str
    ok: bool | None
    detail: str
    seconds: float | None = None


STEPS = ("secrets", "webhook", "event", "queue", "model", "reply", "platform", "scopes", "done")
"""In this order. Those that rely on one that failed are left out, but for the last."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The message as it was queued, and when, by the loop's time."""

    message: InboundMessage
    at: float
    patience: float


class SelfTest:
    """``in_force``: all bots, hidden ones too; ``routes``: those on platforms, by channel and id. ``http`` is for the
    webhook URL.
    """

    def __init__(
        self,
        bots: Bots,
        in_force: Mapping[str, Bot],
        routes: Mapping[tuple[str, str], HostedBot],
        store: Store,
        directory: Directory,
        audit: Audit,
        clock: Clock,
        http: aiohttp.ClientSession,
    ) -> None:
        self._bots = bots
        self._in_force = in_force
        self._routes = routes
        self._events = store.events
        self._chats = Chats(store.records, clock)
        self._admitting = Admitting(directory, store.events)
        self._audit = audit
        self._clock = clock
        self._http = http

    def run(self, who: Principal, bot: str) -> AsyncGenerator[TestFinding, None]:
        """Findings as they come; the same step may come again as it goes on. Ends with ``done``.

        Raises UnknownError and NotAllowedError, at once; for a bot that is not there at all, when it is asked.
        """
        if not who.sees(bot):
            raise UnknownError(f"there is no bot {bot!r}")
        who.check(Permission.OPERATE, bot)
        return self._run(who, bot)

    async def _run(self, who: Principal, bot: str) -> AsyncGenerator[TestFinding, None]:
        begun, failed = time.perf_counter(), False
        view = await self._bots.get(who, bot)
        await self._audit.record(who, "bot.tested", f"bot/{bot}")
        async for finding in self._steps(view):
            failed = failed or finding.ok is False
            yield finding
        text = "something is wrong: see above" if failed else "the whole path works"
        yield TestFinding(step="done", ok=not failed, detail=text, seconds=_since(begun))

    async def _steps(self, view: BotView) -> AsyncGenerator[TestFinding, None]:
        readable = _secrets(view)
        yield readable
        hosted = self._routes.get((view.channel, view.id))
        if readable.ok is False or hosted is None:
            return
        yield await self._webhook(view, hosted.channel)
        async for finding in self._path(view, hosted):
            yield finding
        yield await _platform(hosted.channel)
        yield await _scopes(hosted.channel)

    async def _webhook(self, view: BotView, channel: Channel) -> TestFinding:
        """Ask our own public address what the platform asks it when the URL is entered there."""
        begun, challenge = time.perf_counter(), f"{PROBE_TENANT}-{secrets.token_hex(8)}"
        request = channel.challenge_probe(challenge, self._clock.now())
        if request is None or "://" not in view.webhook_url:
            return TestFinding(
                step="webhook",
                ok=None,
                detail="server.public_url is not set, so the public address is not known here; set it, or see to it"
                f" that the platform reaches {view.webhook_url}",
            )
        try:
            async with self._http.post(
                view.webhook_url,
                data=request.body,
                headers=dict(request.headers),
                timeout=aiohttp.ClientTimeout(total=WEBHOOK_PATIENCE),
                allow_redirects=False,
            ) as response:
                status, body = response.status, await response.content.read(1 << 16)
        except (aiohttp.ClientError, TimeoutError) as error:
            return TestFinding(
                step="webhook",
                ok=None,
                detail=f"{view.webhook_url} could not be reached from here ({type(error).__name__}); that is no fault"
                " where only the outside can reach it: what counts is the platform's own URL verification",
                seconds=_since(begun),
            )
        answered = status == 200 and _answers(body, challenge)  # noqa: PLR2004 - HTTP
        what = (
            f"{view.webhook_url} answers URL verification"
            if answered
            else f"{view.webhook_url} answers HTTP {status}, and not as this gateway would: is it the right address,"
            " and does the proxy before it pass POST bodies and headers on unchanged?"
        )
        return TestFinding(step="webhook", ok=answered, detail=what, seconds=_since(begun))

    async def _path(self, view: BotView, hosted: HostedBot) -> AsyncGenerator[TestFinding, None]:
        """From the signed event to the shown answer."""
        begun = time.perf_counter()
        received = self._receive(hosted.channel)
        if not isinstance(received, InboundMessage):
            yield TestFinding(step="event", ok=False, detail=received, seconds=_since(begun))
            return
        yield TestFinding(
            step="event", ok=True, detail="a signed event is taken for authentic", seconds=_since(begun)
        )
        begun = time.perf_counter()
        try:
            asked = await self._ask(view.id, received)
        except ConflictError as error:
            yield TestFinding(step="queue", ok=False, detail=str(error), seconds=_since(begun))
            return
        yield TestFinding(step="queue", ok=True, detail="it is durable in the queue", seconds=_since(begun))
        async for finding in self._answer(asked):
            yield finding

    def _receive(self, channel: Channel) -> InboundMessage | str:
        """The message of a synthetic event, or why there is none."""
        request = channel.probe(QUESTION, self._clock.now())
        if request is None:
            return "the bot has no credentials with which an event could be signed"
        match channel.receive(request):
            case InboundMessage() as message:
                return message
            case Rejected(_, reason) | Ignored(reason):
                return f"the bot's own signed event was not taken: {reason}; enter its credentials again"
            case Challenge() | _:
                return "the bot's own signed event was taken for something else"

    async def _ask(self, id: str, received: InboundMessage) -> _Asked:
        """Raises ConflictError."""
        bot = self._in_force.get(selftest_bot(id))
        if bot is None:
            raise ConflictError("the bot is not in force; see its problem on its page")
        chat = f"test-{secrets.token_hex(8)}"
        turn = stable_id(CHANNEL, bot.id, chat)
        message = replace(
            received,
            key=ConversationKey(CHANNEL, bot.id, "", chat),
            identity=chat,
            address=Address(chat, turn, "", received.sender.id, ""),
            sender=Sender(received.sender.id, ""),
            origin="api",
        )
        await self._admitting.admit(message, bot)
        at = asyncio.get_running_loop().time()
        return _Asked(message, at, bot.agent.timeouts.reply + QUEUE_PATIENCE)

    async def _answer(self, asked: _Asked) -> AsyncGenerator[TestFinding, None]:
        """Watch the turn, whichever process runs it."""
        loop, message = asyncio.get_running_loop(), asked.message
        first_text: float | None = None
        yield TestFinding(step="model", ok=None, detail="waiting for the model")
        while True:
            outcome = await self._outcome(message.turn_id)
            lines = await self._chats.answer(message.key.bot, message.key.chat, message.turn_id)
            text, seconds = "".join(line.text for line in lines), round(loop.time() - asked.at, 3)
            if text.strip() and first_text is None:
                first_text = seconds
                if outcome is None:
                    yield TestFinding(step="model", ok=None, detail="the model is writing", seconds=seconds)
            if outcome is not None or seconds > asked.patience:
                break
            await asyncio.sleep(LOOK_EVERY)
        if outcome == "answered":
            yield TestFinding(step="model", ok=True, detail="the model wrote", seconds=first_text or seconds)
            detail = f"a complete answer of {len(text)} characters was shown"
            yield TestFinding(step="reply", ok=True, detail=detail, seconds=seconds)
        elif outcome is None:
            detail = f"no answer within {asked.patience:g} s; does a process run that has this bot, and is one free?"
            yield TestFinding(step="reply", ok=False, detail=detail, seconds=seconds)
        else:
            detail = error_sentence(outcome).en
            yield TestFinding(step="model", ok=False, detail=f"{outcome}: {detail}", seconds=seconds)

    async def _outcome(self, turn: str) -> str | None:
        events = await self._events.of_turn(turn)
        return next((event.detail for event in events if event.kind == "turn.completed"), None)


def _secrets(view: BotView) -> TestFinding:
    unreadable = [f"{name}: {one.problem}" for name, one in view.credentials.items() if one.problem]
    if unreadable or view.problem:
        return TestFinding(step="secrets", ok=False, detail="; ".join(unreadable) or str(view.problem))
    if view.state == "draft":
        given = {name for name, one in view.credentials.items() if one.set}
        missing = ", ".join(
            lacking_in_slack(given, view.settings.transport)
            if view.channel == "slack"
            else [name for name in view.credentials if name not in given]
        )
        return TestFinding(step="secrets", ok=False, detail=f"the bot is a draft: add {missing}")
    return TestFinding(step="secrets", ok=True, detail="all credentials are there and can be read")


async def _platform(channel: Channel) -> TestFinding:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PLATFORM_PATIENCE):
            findings = await channel.check()
    except TimeoutError:
        detail = f"the platform did not answer within {PLATFORM_PATIENCE:g} s"
        return TestFinding(step="platform", ok=False, detail=detail, seconds=_since(begun))
    return TestFinding(
        step="platform",
        ok=all(one.ok for one in findings),
        detail="; ".join(f"{one.subject}: {one.detail}" for one in findings),
        seconds=_since(begun),
    )


async def _scopes(channel: Channel) -> TestFinding:
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(PLATFORM_PATIENCE):
            missing = await channel.missing_scopes()
    except (DeliveryError, TimeoutError):
        missing = None
    if missing is None:
        return TestFinding(
            step="scopes",
            ok=None,
            detail="the platform does not tell which scopes the app has",
            seconds=_since(begun),
        )
    detail = (
        f"missing: {', '.join(missing)}; add them at the platform, and install or publish the app again"
        if missing
        else "the app has all that it needs"
    )
    return TestFinding(step="scopes", ok=not missing, detail=detail, seconds=_since(begun))


def _answers(body: bytes, challenge: str) -> bool:
    try:
        return bool(orjson.loads(body) == {"challenge": challenge})
    except orjson.JSONDecodeError:
        return False


def _since(begun: float) -> float:
    return round(time.perf_counter() - begun, 3)
