"""Notices for messages that were refused before they became a turn (a full queue), and other words on the side.

They are a courtesy, not a promise: each is tried once, and none is sent after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from conversation.messages import InboundMessage
from conversation.outbound import DeliveryError, Outbound, PartRequest, unsaved
from conversation.stores.port import StoreUnavailableError
from conversation.texts import notice
from conversation.turn import Reason, part_id

WAITING = 200
"""Notices that may wait to be sent; further ones are dropped."""

AT_ONCE = 8
"""Notices under way at once, so that one platform that hangs does not hold up the others."""

PATIENCE = 30.0
"""Seconds that a notice may take, so that one workspace at its limit does not keep the others waiting."""

_log = structlog.get_logger()


class Notices:
    """Sends notices, a few at once, while ``run`` runs."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[str, Callable[[], Awaitable[None]]]] = asyncio.Queue(WAITING)

    def send(self, outbound: Outbound, message: InboundMessage, reason: Reason) -> None:
        """Returns at once. Dropped, with a log line, if too many are waiting."""
        text = notice(reason, message.locale, message.turn_id[:8], message.declined)
        request = PartRequest(message.address, part_id(message.turn_id, 0), 1, unsaved)
        self.do(f"{reason} {message.turn_id}", lambda: say(outbound, request, text))

    def do(self, what: str, call: Callable[[], Awaitable[None]]) -> None:
        """The same for something else that is done for a person: ``call`` is tried once. ``what`` is for the log."""
        try:
            self._waiting.put_nowait((what, call))
        except asyncio.QueueFull:
            _log.warning("courtesy dropped", what=what)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(AT_ONCE):
                tasks.create_task(self._work(), name=f"notices {number}")

    async def _work(self) -> None:
        while True:
            what, call = await self._waiting.get()
            try:
                async with asyncio.timeout(PATIENCE):
                    await call()
            except (DeliveryError, StoreUnavailableError, TimeoutError) as error:
                _log.warning("courtesy not done", what=what, cause=str(error))
            except Exception:  # noqa: BLE001 - the boundary of a courtesy: a bug in one must not end the process
                _log.exception("courtesy broke", what=what)


async def say(outbound: Outbound, request: PartRequest, text: str) -> None:
    """One whole message. Raises DeliveryError."""
    part = await outbound.open(request, text)
    await part.close(text)
