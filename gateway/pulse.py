"""An end-to-end canary: each minute a message of our own goes through queue, turn and relay, and is measured.

Every replica has a conversation of its own. That needs no leader, and tells of each of them whether it can take a
message and whether somebody answers it, also when this one alone has lost the store. Who answers is whoever has room,
as for people. Nothing outside is asked: the model is an echo, and the platform the store's own records.

Invariants:

- it is seen in metrics and log alone: its bot is hidden, and no principal sees it (``gateway.admin.access``);
- one message at a time: where the store is away nothing piles up, and in the queue at most ``WAITING`` of them wait;
- nothing is remembered of what it says, and the record of its answer is taken away at once, or by the janitor.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets

import structlog

from channels.playground import CHANNEL, Chats
from conversation.bot import Bot
from conversation.clock import Clock
from conversation.directory import Directory
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender
from conversation.observer import Unobserved
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Records
from conversation.turn import Claim, Final
from gateway.metrics.canary import CanaryMetrics, Failure

PATIENCE = 30.0
"""Seconds after which an answer is late. Less than a minute, so that each minute has its own."""

LOOK_EVERY = 0.5
"""Seconds between two looks whether another replica has answered. Of its own answers a process knows at once."""

WAITING = 5
"""Of one conversation: two replicas that call themselves alike share one."""

_log = structlog.get_logger()


class _MissedError(Exception):
    """There was no answer, or not the right one."""

    def __init__(self, reason: Failure, detail: str) -> None:
        super().__init__(detail)
        self.reason: Failure = reason


class Pulse(Unobserved):
    """``conversation.observer.Observer``. ``name`` tells this replica from the others, also after a restart."""

    def __init__(self, bot: Bot, records: Records, clock: Clock, metrics: CanaryMetrics, name: str) -> None:
        self._bot = bot
        self._chats = Chats(records, clock)
        self._clock = clock
        self._metrics = metrics
        self._chat = name
        self._ended: dict[str, asyncio.Event] = {}

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:  # noqa: ARG002
        ended = self._ended.get(claim.turn.id)
        if ended is not None:
            ended.set()

    async def run(self, directory: Directory, every: float) -> None:
        """Until cancelled; not while the process drains. Replicas that start together ask apart."""
        self._metrics.expect()
        await asyncio.sleep(every * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + every
            if directory.accepting:
                await self.beat(directory)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def beat(self, directory: Directory) -> bool:
        """Say something once; whether it was answered, which is counted."""
        message = self._message(secrets.token_hex(8))
        loop = asyncio.get_running_loop()
        begun, ended = loop.time(), self._ended.setdefault(message.turn_id, asyncio.Event())
        try:
            await self._admit(directory, message)
            await self._answer(message, ended)
        except _MissedError as missed:
            self._metrics.failed(missed.reason)
            _log.warning("canary not answered", reason=missed.reason, cause=str(missed))
            return False
        else:
            self._metrics.answered(loop.time() - begun, self._clock.now())
            return True
        finally:
            del self._ended[message.turn_id]
            with contextlib.suppress(StoreUnavailableError):
                await self._chats.forget_answer(self._bot.id, self._chat, message.turn_id)

    def _message(self, word: str) -> InboundMessage:
        return InboundMessage(
            key=ConversationKey(CHANNEL, self._bot.id, "", self._chat),
            identity=word,
            address=Address(self._chat, word, "", "canary", ""),
            sender=Sender("canary", ""),
            text=word,
            sent_at=self._clock.now(),
            locale="en",
            origin="api",
        )

    async def _admit(self, directory: Directory, message: InboundMessage) -> None:
        try:
            admission = await directory.admit(message, limits=self._bot.limits)
        except StoreUnavailableError as error:
            raise _MissedError("store", str(error)) from None
        if admission.status != "accepted":
            raise _MissedError("refused", f"more than {WAITING} wait in its conversation")

    async def _answer(self, message: InboundMessage, ended: asyncio.Event) -> None:
        """Return when it is shown, whichever process shows it."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._shown(message):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY):
                            await ended.wait()
                    if ended.is_set() and not await self._shown(message):
                        raise _MissedError("wrong", "its turn ended and nothing is shown")
        except TimeoutError:
            raise _MissedError("late", f"no answer within {PATIENCE:g} s") from None
        except StoreUnavailableError as error:
            raise _MissedError("store", str(error)) from None

    async def _shown(self, message: InboundMessage) -> bool:
        lines = await self._chats.answer(self._bot.id, self._chat, message.turn_id)
        if not lines or any(line.growing for line in lines):
            return False
        if "".join(line.text for line in lines) != message.text:
            raise _MissedError("wrong", "its answer is another one")
        return True
