"""One part of an answer as a plain message, sent when it is complete.

For bots that do not stream, and for answers that cannot be a card: text can be edited only 20 times, so
nothing of it is shown before the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from channels.lark.api import LarkApi
from channels.lark.errors import CARD_UNUSABLE, NOT_EDITABLE, LarkPendingError, LarkRefusedError
from channels.lark.ref import Ref
from channels.lark.render import plain, post
from conversation.controls import Controls
from conversation.outbound import DeliveryDelayedError, PartRequest
from conversation.steps import Step

Kind = Literal["text", "post"]

_NEXT_PARTIAL = 1.0
"""Seconds between partial texts, of which nothing is seen."""


def content_of(kind: Kind, text: str) -> dict[str, object]:
    """``md`` is a post's one element that draws Markdown, and stands alone in its paragraph."""
    if kind == "text":
        return {"text": plain(text)}
    return {"zh_cn": {"content": [[{"tag": "md", "text": post(text)}]]}}


class OncePart:
    """A LivePart. ``tried``: an earlier attempt may have sent the message already."""

    def __init__(
        self, api: LarkApi, part: PartRequest, kind: Kind, *, message: str = "", tried: bool = False
    ) -> None:
        self._api = api
        self._part = part
        self._kind = kind
        self._message = message
        self._tried = tried

    def working(self, steps: Sequence[Step]) -> None:
        """Nothing is seen before the end."""

    async def pace(self) -> None:
        await asyncio.sleep(_NEXT_PARTIAL)

    async def show(self, text: str) -> None:
        """Nothing is seen before the end."""

    async def close(self, text: str, controls: Controls | None = None) -> None:  # noqa: ARG002 - none are drawn
        if self._message:
            await self._correct(text)
            return
        repeated, self._tried = self._tried, True
        try:
            self._message = await self._send(text)
        except LarkPendingError:
            raise
        except DeliveryDelayedError:
            self._tried = repeated
            raise
        except LarkRefusedError as error:
            if not (repeated and error.may_be_duplicate):
                raise
            return  # what the platform says to a uuid it knows: the message is there
        await self._part.save(str(Ref(once=self._kind, message=self._message)))
        if repeated:
            await self._correct(text)

    async def _send(self, text: str) -> str:
        # A uuid of its own: the card's may have been spent on a card.
        uuid = f"{self._part.id}-{self._kind}"
        try:
            return await self._api.send(self._part.to, self._kind, content_of(self._kind, text), uuid)
        except LarkRefusedError as error:
            if self._kind == "text" or error.code not in CARD_UNUSABLE:
                raise
        self._kind = "text"
        return await self._send(text)

    async def _correct(self, text: str) -> None:
        """Make sure that the message which an earlier attempt sent holds this text."""
        try:
            await self._api.edit(self._message, self._kind, content_of(self._kind, text))
        except LarkRefusedError as error:
            if error.code not in NOT_EDITABLE:
                raise
