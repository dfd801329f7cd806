"""What happens to conversations, as it happens, in the form of CloudEvents 1.0.

Invariant: an event holds no message text, and is told only to who sees its bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from conversation.stores.events import Event, EventLog
from gateway.admin.access import Permission, Principal
from gateway.admin.errors import UnknownError

LOOK_EVERY = 0.5
"""Seconds between two looks at the log."""

KEEP_ALIVE = 15.0
"""Seconds of silence after which it is said that all is well."""

BATCH = 100
"""Events that are read at once: all that a reader, however slow, holds in memory."""

SOURCE = "/turnkeeper"


class Happened(BaseModel):
    """``detail`` is a reason or outcome in one word, or the turn that a message was merged into.

    ``reference`` is what the person was shown.
    """

    model_config = ConfigDict(frozen=True)

    channel: str
    bot: str
    conversation: str
    turn: str
    reference: str
    detail: str


class CloudEvent(BaseModel):
    """``type`` is turnkeeper.KIND.EVENT.v1, such as turnkeeper.turn.completed.v1; ``subject`` is the conversation."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    data: Happened

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            specversion="1.0",
            id=str(event.position),
            source=SOURCE,
            type=f"turnkeeper.{event.kind}.v1",
            subject=str(event.key),
            time=datetime.fromtimestamp(event.at, UTC),
            datacontenttype="application/json",
            data=Happened(
                channel=event.key.channel,
                bot=event.key.bot,
                conversation=str(event.key),
                turn=event.turn_id,
                reference=event.turn_id[:8],
                detail=event.detail,
            ),
        )


class Events:
    def __init__(self, log: EventLog) -> None:
        self._log = log

    def follow(
        self, who: Principal, *, after: int | None, bot: str | None
    ) -> AsyncGenerator[CloudEvent | None, None]:
        """Every event behind position ``after`` (None: from now on), of one bot or all that are seen; None now and
        then where nothing happens. It never ends by itself. Raises NotAllowedError and UnknownError at once, and
        StoreUnavailableError when it comes to that.
        """
        if bot is not None and not who.sees(bot):
            raise UnknownError(f"there is no bot {bot!r}")
        who.check(Permission.READ, bot)
        return self._follow(who, after, bot)

    async def _follow(
        self, who: Principal, after: int | None, bot: str | None
    ) -> AsyncGenerator[CloudEvent | None, None]:
        loop = asyncio.get_running_loop()
        position = await self._log.end() if after is None else after
        said_at = loop.time()
        while True:
            batch = await self._log.after(position, BATCH)
            for event in batch:
                position = event.position
                if who.sees(event.key.bot) and bot in (None, event.key.bot):
                    yield CloudEvent.of(event)
                    said_at = loop.time()
            if loop.time() - said_at >= KEEP_ALIVE:
                yield None
                said_at = loop.time()
            if len(batch) < BATCH:
                await asyncio.sleep(LOOK_EVERY)
