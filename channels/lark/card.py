"""One part of an answer as a streaming card (docs: "流式更新卡片").

Invariants:

- ``sequence`` rises with every operation on the card, and each attempt has a block of numbers above all
  earlier ones, so that the platform itself refuses an attempt that was taken over;
- buttons change together with the end of streaming, in one call: an answer that has ended cannot be stopped;
- a card streams for 10 minutes; it is reopened before that, once more if the platform closed it anyway, and
  its final text is shown even if it cannot be reopened;
- a text that the platform refuses to draw is withheld until it is complete; then the whole card is replaced by one
  that asks less of the platform: without tables, at last without Markdown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from channels.lark.api import LarkApi
from channels.lark.buttons import Element, when_ended
from channels.lark.errors import CARD_UNUSABLE, STREAM_CLOSED, LarkRefusedError
from channels.lark.render import NOBODY, PLACEHOLDER, plain, render, rendering, simpler, summary
from conversation.controls import Controls
from conversation.steps import Step, at_work

BLOCK = 100_000
"""Sequence numbers of one attempt; an int32 holds 21,474 attempts."""

SHORTEST_INTERVAL = 0.25
"""Seconds between partial texts: well below a card's 10 operations a second."""

REOPEN_AFTER = 9.5 * 60
"""Seconds. The platform ends streaming after 10 minutes, however much is written."""

ELEMENT = "answer"

_NOT_DRAWN = frozenset({10002, 200860, 230025, 230099, 300305, 300310, 300313})
"""The card is there, and takes no such content: more tables, elements or bytes, as the platform counts them."""


@dataclass(slots=True)
class Card:
    """What this process knows of a card. ``tried``: its message may have been sent already."""

    id: str
    message: str
    sequence: int
    shown: str | None
    tried: bool


def card_json(text: str, below: Sequence[Element] = (), *, streaming: bool) -> dict[str, object]:
    """A card of schema 2.0 with one Markdown element, and what stands below it."""
    config: dict[str, object] = {"streaming_mode": streaming, "update_multi": True}
    if not streaming:
        config["summary"] = {"content": summary(text)}
    return {
        "schema": "2.0",
        "config": config,
        "body": {"elements": [{"tag": "markdown", "element_id": ELEMENT, "content": text}, *below]},
    }


def plain_card_json(text: str) -> dict[str, object]:
    """A card with the text as it came, in which nothing is drawn."""
    return {
        "schema": "2.0",
        "config": {"streaming_mode": False, "update_multi": True, "summary": {"content": summary(text)}},
        "body": {
            "elements": [
                {
                    "tag": "div",
                    "text": {"tag": "plain_text", "element_id": ELEMENT, "content": plain(text)},
                }
            ]
        },
    }


class CardPart:
    """A LivePart. ``forget`` is called when it is closed; ``live`` holds the cards that share the budget.
    ``stoppable``: while it grows there is a button under it. ``people`` tells the ids of who is known there by name.
    """

    def __init__(
        self,
        api: LarkApi,
        card: Card,
        uuid: str,
        live: WeakSet[CardPart],
        forget: Callable[[], None],
        *,
        stoppable: bool,
        people: Callable[[], Mapping[str, str]] = lambda: NOBODY,
    ) -> None:
        self._stoppable = stoppable
        self._api = api
        self._card = card
        self._uuid = uuid
        self._live = live
        self._forget = forget
        self._shown_at = self._opened_at = asyncio.get_running_loop().time()
        self._has_permit = False
        self._people = people
        self._rendering = rendering()
        self._begun = False
        self._withheld = False
        self._at_work = ""
        live.add(self)

    def working(self, steps: Sequence[Step]) -> None:
        self._at_work = at_work(steps)

    async def pace(self) -> None:
        if self._has_permit:
            return
        first = self._card.shown == PLACEHOLDER
        if not first:
            interval = self._api.content_limit.interval(SHORTEST_INTERVAL, len(self._live))
            await asyncio.sleep(self._shown_at + interval - asyncio.get_running_loop().time())
        await self._api.content_limit.take(urgent=first)
        self._has_permit = True

    async def show(self, text: str) -> None:
        """Only what is certain: as long as a text goes on the last one, the platform goes on typing."""
        self._begin(text)
        self._rendering.grow(text)
        if self._withheld:
            return
        try:
            await self._show(self._rendering.settled or render(self._at_work), urgent=False)
        except LarkRefusedError as error:
            if error.code not in _NOT_DRAWN:
                raise
            self._withheld = True

    async def close(self, text: str, controls: Controls | None = None) -> None:
        self._begin(text)
        final = self._rendering.finish(text)
        try:
            await self._show(final, urgent=True)
        except LarkRefusedError as error:
            if error.code in _NOT_DRAWN:
                await self._show_less(text, controls)
            elif error.code in STREAM_CLOSED:
                await self._replace(final, controls)
            else:
                raise
            self._card.shown = final
        else:
            if self._stoppable or controls is not None:
                await self._end_with(final, controls)
            else:
                await self._end_streaming(final)
        self._live.discard(self)
        self._forget()

    async def reopen(self) -> None:
        """Let the card stream (again). As an attempt's first act it ends all writing of earlier attempts."""
        await self._api.change_settings(self._card.id, {"streaming_mode": True}, *self._number())
        self._opened_at = asyncio.get_running_loop().time()

    def _begin(self, text: str) -> None:
        """Who is known is looked up with the first words: the card may be older than what is known of them."""
        if text and not self._begun:
            self._begun, self._rendering = True, rendering(self._people())

    async def _show(self, rendered: str, *, urgent: bool) -> None:
        if rendered == self._card.shown or not rendered:
            return
        if asyncio.get_running_loop().time() - self._opened_at > REOPEN_AFTER:
            await self.reopen()
        try:
            await self._stream(rendered, urgent=urgent)
        except LarkRefusedError as error:
            if error.code not in STREAM_CLOSED:
                raise
            await self.reopen()
            await self._stream(rendered, urgent=True)

    async def _stream(self, rendered: str, *, urgent: bool) -> None:
        if not self._has_permit:
            await self._api.content_limit.take(urgent=urgent)
        self._has_permit = False
        self._card.shown = None  # unknown until the platform has answered
        try:
            await self._api.stream_text(self._card.id, ELEMENT, rendered, *self._number())
        finally:
            self._shown_at = asyncio.get_running_loop().time()
        self._card.shown = rendered

    async def _replace(self, final: str, controls: Controls | None) -> None:
        card = card_json(final or PLACEHOLDER, when_ended(controls), streaming=False)
        await self._api.replace_card(self._card.id, card, *self._number())

    async def _show_less(self, text: str, controls: Controls | None) -> None:
        try:
            await self._replace(simpler(text), controls)
        except LarkRefusedError as error:
            if error.code not in _NOT_DRAWN:
                raise
            await self._api.replace_card(self._card.id, plain_card_json(text), *self._number())

    async def _end_with(self, final: str, controls: Controls | None) -> None:
        try:
            await self._replace(final, controls)
        except LarkRefusedError as error:
            if error.code not in CARD_UNUSABLE:
                raise
            await self._end_streaming(final)  # there is no room for buttons

    async def _end_streaming(self, final: str) -> None:
        config: dict[str, object] = {
            "streaming_mode": False,
            "summary": {"content": summary(final) or PLACEHOLDER},
        }
        try:
            await self._api.change_settings(self._card.id, config, *self._number())
        except LarkRefusedError as error:
            if error.code not in STREAM_CLOSED:
                raise

    def _number(self) -> tuple[int, str]:
        """The next sequence number, and the operation's uuid."""
        self._card.sequence += 1
        return self._card.sequence, f"{self._uuid}-{self._card.sequence}"
