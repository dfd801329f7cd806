"""Marks of messages that are being answered: shown soon after they arrive, taken away when their turn has ended.

Invariants:

- a mark is never waited for, neither by an admission nor by an answer, and its failure harms nothing;
- of one conversation, marking and taking away follow each other in the order in which they were asked for;
- what was marked by a process that died is taken away by the one that ends the turn;
- at most MOST are under way: further messages are not marked, but no mark is left for that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from conversation.courtesies import Courtesies
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryError, Outbound
from conversation.turn import STOPPING, Turn

MOST = 200
"""Calls under way, and what waits for them."""

REMEMBERED = 10_000
"""Marked messages that are known here; of others it is asked again at their turn."""

PATIENCE = 30.0
"""Seconds that a mark may take."""

TRIES = 3
"""To take a mark away."""

_log = structlog.get_logger()


class Marks:
    """Marks messages while ``run`` runs; before and after it does nothing."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None
        self._under_way = 0
        self._marked: OrderedDict[str, None] = OrderedDict()
        self._last: dict[ConversationKey, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await asyncio.Event().wait()
        finally:
            self._tasks = None

    def received(self, outbound: Outbound, message: InboundMessage) -> None:
        """The message will be answered. Returns at once; once for each message is enough."""
        courtesies = outbound.courtesies
        if courtesies is None or not _markable(message) or message.turn_id in self._marked:
            return
        if self._under_way >= MOST or self._tasks is None:
            return
        self._marked[message.turn_id] = None
        while len(self._marked) > REMEMBERED:
            self._marked.popitem(last=False)
        self._after_the_last(message.key, lambda: self._mark(courtesies, message))

    def ended(self, outbound: Outbound, turn: Turn) -> None:
        """The turn has its outcome. Returns at once."""
        courtesies = outbound.courtesies
        if courtesies is None:
            return
        # One that was stopped while it waited was not begun here, and may have been marked where it was admitted.
        elsewhere = turn.attempt > 1 or turn.refusal in STOPPING
        for message in turn.messages:
            known = self._marked.pop(message.turn_id, self) is None
            if _markable(message) and (known or elsewhere):
                self._after_the_last(message.key, lambda one=message: self._unmark(courtesies, one))  # type: ignore[misc]

    def _after_the_last(self, key: ConversationKey, call: Callable[[], Awaitable[None]]) -> None:
        if self._tasks is None:
            return
        before = self._last.get(key)
        self._under_way += 1

        async def in_order() -> None:
            if before is not None:
                await asyncio.wait((before,))
            await call()

        task = self._last[key] = self._tasks.create_task(in_order(), name="mark")
        task.add_done_callback(lambda done: self._done(key, done))

    def _done(self, key: ConversationKey, task: asyncio.Task[None]) -> None:
        self._under_way -= 1
        if self._last.get(key) is task:
            del self._last[key]

    async def _mark(self, courtesies: Courtesies, message: InboundMessage) -> None:
        if message.turn_id in self._marked:  # else its turn has ended meanwhile
            await _try(lambda: courtesies.mark(message.address), message, "mark")

    async def _unmark(self, courtesies: Courtesies, message: InboundMessage) -> None:
        for tried in range(1, TRIES + 1):
            delay = await _try(lambda: courtesies.unmark(message.address), message, "unmark")
            if delay is None or tried == TRIES:
                return
            await asyncio.sleep(min(delay, PATIENCE))


async def _try(call: Callable[[], Awaitable[None]], message: InboundMessage, what: str) -> float | None:
    """Seconds after which it may be tried again; None if it need not be."""
    try:
        async with asyncio.timeout(PATIENCE):
            await call()
    except DeliveryDelayedError as delayed:
        _log.info("mark not made", what=what, turn=message.turn_id, cause=str(delayed))
        return delayed.delay
    except (DeliveryError, TimeoutError) as error:
        _log.info("mark not made", what=what, turn=message.turn_id, cause=str(error))
    except Exception:  # noqa: BLE001 - the boundary of a courtesy: a bug in one must not end the process
        _log.exception("mark broke", what=what, turn=message.turn_id)
    return None


def _markable(message: InboundMessage) -> bool:
    return message.origin == "platform" and bool(message.address.message) and not message.stands_alone
