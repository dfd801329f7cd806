"""``conversation.courtesies.Courtesies`` on Lark: a message that is being answered has the reaction "Typing".

The platform has no status of a bot that types (docs: "表情文案说明", "添加消息表情回复"). A reaction is taken away by
its id; those that another process made, which may have died, are found among the message's. What the platform does
with a second reaction of the same kind is not documented: all are taken away.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from channels.lark.api import LarkApi
from channels.lark.errors import GONE, NO_SUCH_REACTION, SCOPE_MISSING, LarkRefusedError
from conversation.courtesies import Suggestion
from conversation.messages import Address
from conversation.outbound import DeliveryRefusedError

REACTION = "Typing"

UNAVAILABLE_FOR = 600.0
"""Seconds for which an app without the scope is not asked for again."""

REMEMBERED = 5_000
"""Marks of which the id is known."""


class LarkCourtesies:
    def __init__(self, api: LarkApi) -> None:
        self._api = api
        self._made: OrderedDict[str, str] = OrderedDict()
        self._refused_until = self._unlisted_until = 0.0

    async def mark(self, to: Address) -> None:
        if to.message in self._made or not self._allowed:
            return
        try:
            made = await self._api.react(to.message, REACTION)
        except LarkRefusedError as error:
            self._learn_from(error)
            return
        if made is not None:
            self._made[to.message] = made
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)

    async def unmark(self, to: Address) -> None:
        if not self._allowed:
            return
        known = self._made.pop(to.message, None)
        try:
            for id in {*await self._listed(to.message), *filter(None, (known,))}:
                await self._api.unreact(to.message, id)
        except LarkRefusedError as error:
            self._learn_from(error)

    async def whisper(self, to: Address, text: str) -> None:  # noqa: ARG002 - the port's signature
        """Who pressed a button reads its answer instead, see LarkChannel.toast."""
        raise DeliveryRefusedError("cards answer who pressed them, and there is no other whisper")

    async def suggest(self, to: Address, suggestions: Sequence[Suggestion]) -> bool:  # noqa: ARG002 - as above
        return False

    async def _listed(self, message: str) -> tuple[str, ...]:
        """Nothing where the app may not ask."""
        now = asyncio.get_running_loop().time()
        if now < self._unlisted_until:
            return ()
        try:
            return await self._api.own_reactions(message, REACTION)
        except LarkRefusedError as error:
            if error.code != SCOPE_MISSING:
                raise
            self._unlisted_until = now + UNAVAILABLE_FOR
            return ()

    def _learn_from(self, refusal: LarkRefusedError) -> None:
        """A message or reaction that is gone has no mark any more. Raises for what is not understood."""
        if refusal.code in GONE or refusal.code == NO_SUCH_REACTION:
            return
        if refusal.code != SCOPE_MISSING:
            raise refusal
        self._refused_until = asyncio.get_running_loop().time() + UNAVAILABLE_FOR

    @property
    def _allowed(self) -> bool:
        return asyncio.get_running_loop().time() >= self._refused_until
