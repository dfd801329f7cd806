"""Notices for messages that were refused before they became a turn: a full queue.

They are a courtesy, not a promise: each is tried once, and none is sent after a restart.
"""

from __future__ import annotations

import asyncio

import structlog

from conversation.messages import InboundMessage
from conversation.outbound import DeliveryError, Outbound, PartRequest, unsaved
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
        self._waiting: asyncio.Queue[tuple[Outbound, InboundMessage, Reason]] = asyncio.Queue(WAITING)

    def send(self, outbound: Outbound, message: InboundMessage, reason: Reason) -> None:
        """Returns at once. Dropped, with a log line, if too many are waiting."""
        try:
            self._waiting.put_nowait((outbound, message, reason))
        except asyncio.QueueFull:
            _log.warning("notice dropped", turn=message.turn_id, reason=reason)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(AT_ONCE):
                tasks.create_task(self._work(), name=f"notices {number}")

    async def _work(self) -> None:
        while True:
            outbound, message, reason = await self._waiting.get()
            text = notice(reason, message.locale, message.turn_id[:8])
            request = PartRequest(message.address, part_id(message.turn_id, 0), 1, unsaved)
            try:
                async with asyncio.timeout(PATIENCE):
                    part = await outbound.open(request, text)
                    await part.close(text)
            except (DeliveryError, TimeoutError) as error:
                _log.warning("notice not delivered", turn=message.turn_id, reason=reason, cause=str(error))
            except Exception:  # noqa: BLE001 - the boundary of a courtesy: a bug in one must not end the process
                _log.exception("notice broke", turn=message.turn_id)
