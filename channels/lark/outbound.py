"""Answers of one bot on Lark: streaming cards, or plain messages where cards cannot be had.

No answer appears twice: every send carries a ``uuid`` of which the platform lets one succeed an hour, so a send
of unknown fate is repeated instead of looked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakSet

from channels.acquaintances import Acquaintances
from channels.lark.api import LarkApi
from channels.lark.buttons import while_growing
from channels.lark.card import BLOCK, Card, CardPart, card_json
from channels.lark.courtesies import LarkCourtesies
from channels.lark.errors import CARD_GONE, CARD_UNUSABLE, GONE, LarkPendingError, LarkRefusedError
from channels.lark.once import Kind, OncePart
from channels.lark.ref import Ref
from channels.lark.render import PLACEHOLDER, cut, render, settled, steady
from conversation.courtesies import Courtesies
from conversation.outbound import DeliveryDelayedError, LivePart, PartRequest, ShownPart
from conversation.steps import at_work

CARDS_REMEMBERED = 5000
"""Of parts that were opened or resumed and not closed, at most."""


class LarkOutbound:
    """See conversation.outbound.Outbound. Never raises DeliveryUnknownError."""

    def __init__(self, api: LarkApi, *, stream: bool) -> None:
        self._api = api
        self.known = Acquaintances()
        self._stream = stream
        self._courtesies = LarkCourtesies(api)
        self._live: WeakSet[CardPart] = WeakSet()
        self._cards: OrderedDict[str, Card] = OrderedDict()

    @property
    def courtesies(self) -> Courtesies:
        return self._courtesies

    @property
    def streams(self) -> bool:
        return self._stream

    @property
    def opens_early(self) -> bool:
        return self._stream

    @property
    def fate_known_after(self) -> float:
        """0: a send that may still be under way is repeated with its uuid, not looked for."""
        return 0.0

    @property
    def repair_after(self) -> None:
        """A card refuses every number below the newest, and a message that is no card shows nothing but the end."""
        return

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        return cut(text, shown)

    def steady(self, text: str, shown: int) -> int:
        return steady(text, shown)

    async def open(self, part: PartRequest, text: str) -> LivePart:
        if not self._stream:
            return await self._once(part, "post")
        card = self._cards.get(part.id)
        if card is None:
            first = settled(text, self.known.of(part.to)) or render(at_work(part.steps)) or PLACEHOLDER
            try:
                card_id = await self._api.create_card(
                    card_json(first, while_growing(part.stoppable), streaming=True)
                )
            except LarkRefusedError as error:
                if error.code not in CARD_UNUSABLE:
                    raise
                return await self._once(part, "text")
            card = self._remember(part, Card(card_id, "", 0, first, tried=False))
            await part.save(str(Ref(card=card_id)))
        if not await self._send(part, card):
            return await self._once(part, "text")
        live = self._part(part, card)
        await live.show(text)  # of a card that an earlier call made
        return live

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        stored = Ref.parse(ref)
        if stored.once:
            return OncePart(self._api, part, stored.once, message=stored.message, tried=True)
        card = self._cards.get(part.id)
        if card is None or card.id != stored.card:
            card = self._remember(part, Card(stored.card, stored.message, 0, None, tried=True))
        card.shown = None
        live = self._part(part, card)
        try:
            await live.reopen()
        except LarkRefusedError as error:
            if error.code not in CARD_GONE:
                raise
            await self.remove(part, ref)  # what it showed can be changed no more
            return await self._once(part, "text")
        return live if await self._send(part, card) else await self._once(part, "text")

    async def find(self, part: PartRequest) -> str | None:  # noqa: ARG002 -- the port's signature
        """None: the platform refuses a second send with the same uuid for an hour, so opening again is safe."""
        return None

    async def remove(self, part: PartRequest, ref: str) -> None:
        self._cards.pop(part.id, None)
        stored = Ref.parse(ref)
        message = stored.message
        if not message and stored.card:
            # It may be on its way: sent again with its uuid it is there once, and its id is known.
            card = Card(stored.card, "", 0, None, tried=True)
            await self._send(part, card)
            message = card.message
        if not message:
            return
        try:
            await self._api.delete(message)
        except LarkRefusedError as error:
            if error.code not in GONE:
                raise

    async def repair(
        self,
        parts: Sequence[ShownPart],  # noqa: ARG002 -- the port's signature, here and below
        strays: Sequence[str],  # noqa: ARG002
        quiet: Callable[[], Awaitable[int | None]],  # noqa: ARG002
    ) -> bool:
        """Never needed, see ``repair_after``."""
        return True

    async def _send(self, part: PartRequest, card: Card) -> bool:
        """Send the card if that has not been done. False: it cannot be a card.

        What a repeated uuid is answered is not documented: the first message (then its id is taken) or an
        error (then the message is there, and only its id stays unknown).
        """
        if card.message:
            return True
        repeated, card.tried = card.tried, True
        content: dict[str, object] = {"type": "card", "data": {"card_id": card.id}}
        try:
            card.message = await self._api.send(part.to, "interactive", content, part.id)
        except LarkPendingError:
            raise
        except DeliveryDelayedError:
            card.tried = repeated
            raise
        except LarkRefusedError as error:
            if repeated and error.may_be_duplicate:
                return True
            if error.code in CARD_UNUSABLE:
                return False
            raise
        await part.save(str(Ref(card=card.id, message=card.message)))
        return True

    async def _once(self, part: PartRequest, kind: Kind) -> LivePart:
        self._cards.pop(part.id, None)
        await part.save(str(Ref(once=kind)))
        return OncePart(self._api, part, kind)

    def _part(self, part: PartRequest, card: Card) -> CardPart:
        def forget() -> None:
            self._cards.pop(part.id, None)

        card.sequence = max(card.sequence, part.attempt * BLOCK)
        return CardPart(
            self._api,
            card,
            part.id,
            self._live,
            forget,
            stoppable=part.stoppable is not None,
            people=lambda: self.known.of(part.to),
        )

    def _remember(self, part: PartRequest, card: Card) -> Card:
        """A call may be repeated within one attempt; its card and sequence go on then."""
        self._cards[part.id] = card
        if len(self._cards) > CARDS_REMEMBERED:
            self._cards.popitem(last=False)
        return card
