"""Putting what an admin says into a conversation's queue, as what comes from a platform."""

from __future__ import annotations

from conversation.bot import Bot
from conversation.busy import Limits
from conversation.directory import Directory
from conversation.messages import InboundMessage
from conversation.stores.events import EventLog
from gateway.admin.errors import ConflictError


class Admitting:
    def __init__(self, directory: Directory, events: EventLog) -> None:
        self._directory = directory
        self._events = events

    async def admit(self, message: InboundMessage, bot: Bot, limits: Limits | None = None) -> None:
        """Once it is durable; repeating it is harmless. Raises ConflictError if the queue is full, or was when the
        same message came before: a full queue knows what it refused.
        """
        limits = limits or bot.limits
        admission = await self._directory.admit(message, limits=limits, when_busy=bot.when_busy)
        refused = admission.status == "queue_full"
        if admission.status == "duplicate":
            events = await self._events.of_turn(message.turn_id)
            refused = any(event.kind == "message.refused" for event in events)
        if refused:
            raise ConflictError(
                f"{limits.queued} messages wait in this conversation already, and it was not taken; wait until one is"
                " answered, or cancel, then send it as a new request"
            )
