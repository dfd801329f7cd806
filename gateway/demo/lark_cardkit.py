"""Lark's CardKit calls: each a numbered operation on one card."""

from __future__ import annotations

from collections.abc import Callable

from gateway.demo.lark_calls import (
    CreateCard,
    ElementContent,
    InsertElements,
    Operation,
    PatchElement,
    ReplaceCard,
    ReplaceElement,
    Settings,
)
from gateway.demo.lark_cards import CardEntity
from gateway.demo.lark_messages import LarkMessages, Path
from gateway.demo.lark_rules import Json, LarkError, decoded, elements_in, read_card


class LarkApi(LarkMessages):
    """Everything that a bot can call."""

    def create_card(self, call: CreateCard, _: Path) -> Json:
        card = read_card(call.data)
        entity = CardEntity(
            id=f"75{self._chance.getrandbits(56):017d}",
            card=card,
            opened_at=self.clock(),
            made_at=self.clock(),
            streaming=bool(card.config.streaming_mode),
        )
        self._cards[entity.id] = entity
        return {"card_id": entity.id}

    def replace_card(self, call: ReplaceCard, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.replace(call.card.data, self.clock()))

    def settings(self, call: Settings, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.settings(call.settings, self.clock()))

    def content(self, call: ElementContent, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.stream(path["element_id"], call.content))

    def insert(self, call: InsertElements, path: Path) -> Json:
        elements = elements_in(call.elements)
        return self._operate(
            call, path, lambda card: card.insert(call.type, call.target_element_id, elements)
        )

    def replace_element(self, call: ReplaceElement, path: Path) -> Json:
        changes = decoded(call.element)
        return self._operate(
            call, path, lambda card: card.update_element(path["element_id"], changes, whole=True)
        )

    def patch_element(self, call: PatchElement, path: Path) -> Json:
        changes = decoded(call.partial_element)
        return self._operate(
            call, path, lambda card: card.update_element(path["element_id"], changes, whole=False)
        )

    def delete_element(self, call: Operation, path: Path) -> Json:
        return self._operate(call, path, lambda card: card.delete_element(path["element_id"]))

    def _operate(self, call: Operation, path: Path, change: Callable[[CardEntity], None]) -> Json:
        """One numbered operation on a card."""
        card = self._cards.get(path["card_id"])
        if card is None:
            raise LarkError(200740, "no such card")
        card.expire(self.clock())
        self.count(card.quota)
        card.admit(call.sequence, call.uuid)
        change(card)
        card.admitted(call.sequence, call.uuid)
        if card.message is not None and not card.message.deleted:
            card.message.streaming = card.streaming
            self.show(card.message, card.text)
        return {}
