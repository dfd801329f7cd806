"""CardKit: the life of one card.

Invariants: sequences rise strictly over all operations of a card; text streams only while the card is in
streaming mode, which ends by itself ``STREAMING_WINDOW`` seconds after it was last switched on; a card is sent
at most once; it never exceeds its limits, whichever operation would make it grow, and lives for ``LIFE``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.demo.lark_rules import (
    Card,
    Json,
    LarkError,
    check_elements,
    check_size,
    decoded,
    merged,
    read_card,
    text_of_card,
    walk,
)
from gateway.demo.ratelimit import Bucket, Quota
from gateway.demo.standin import Shown

STREAMING_WINDOW = 600.0
CONTENT_CHARS = 100_000
MAX_SEQUENCE = 2**31 - 1
LIFE = 14 * 24 * 3600.0
"""Seconds in which a card may be changed."""


def _ten_a_second() -> Quota:
    return Quota(Bucket(10, 10))


@dataclass(slots=True)
class CardEntity:
    """A card made through the API, before and after it was sent as ``message``."""

    id: str
    card: Card
    opened_at: float
    streaming: bool
    made_at: float = 0.0
    sequence: int = 0
    uuids: set[str] = field(default_factory=set)
    expired_unnoticed: bool = False
    message: Shown | None = None
    quota: Quota = field(default_factory=_ten_a_second)

    @property
    def text(self) -> str:
        return text_of_card(self.card.body.elements)

    def expire(self, now: float) -> None:
        """Let streaming end if its window is over, and the card if its life is."""
        if now - self.made_at >= LIFE:
            raise LarkError(200750, "the card has expired", fault=False)
        if self.streaming and now - self.opened_at >= STREAMING_WINDOW:
            self.streaming = False
            self.expired_unnoticed = True

    def admit(self, sequence: int, uuid: str | None) -> None:
        """Take an operation's number. Nothing is changed if LarkError is raised."""
        if not 1 <= sequence <= MAX_SEQUENCE:
            raise LarkError(10002, "sequence is an int32 from 1 on")
        if uuid is not None and len(uuid) > 64:  # noqa: PLR2004 -- "1 to 64 characters" in the API's table
            raise LarkError(10002, "uuid is too long")
        if uuid is not None and uuid in self.uuids:
            raise LarkError(200770, "uuid conflict", fault=False)
        if sequence <= self.sequence:
            # The takeover of a stopped process makes that process write with a number of the past.
            raise LarkError(300317, "sequence number compare failed", fault=False)

    def admitted(self, sequence: int, uuid: str | None) -> None:
        self.sequence = sequence
        if uuid is not None:
            self.uuids.add(uuid)

    def stream(self, element_id: str, content: str) -> None:
        """Show the whole text so far in one element."""
        if not 1 <= len(content) <= CONTENT_CHARS:
            raise LarkError(10002, "content has 1 to 100,000 characters")
        if self.expired_unnoticed:
            self.expired_unnoticed = False
            raise LarkError(200850, "card streaming timeout", fault=False)
        if not self.streaming:
            raise LarkError(300309, "streaming mode is closed", fault=False)
        element = self._element(element_id)
        if element["tag"] not in {"markdown", "plain_text"}:
            raise LarkError(300310, "not a text element")
        before = element["content"]
        element["content"] = content
        try:
            self._check()
        except LarkError:
            element["content"] = before
            raise

    def settings(self, text: str, now: float) -> None:
        match decoded(text):
            case {"config": dict(changes), **rest} if rest.keys() <= {"card_link"}:
                self.card.config = merged(self.card.config, changes)
            case _:
                raise LarkError(10002, "settings hold config and card_link")
        if "streaming_mode" in changes:
            self._switch(bool(self.card.config.streaming_mode), now)

    def replace(self, text: str, now: float) -> None:
        self.card = read_card(text)
        self._switch(bool(self.card.config.streaming_mode), now)

    def insert(self, place: str, target: str, elements: list[Json]) -> None:
        """Add elements; ``place`` is insert_before, insert_after or append."""
        check_elements(elements)
        held = self.card.body.elements
        if place == "append" and not target:
            changed = [*held, *elements]
        else:
            at = next((i for i, element in enumerate(held) if element.get("element_id") == target), None)
            if at is None:
                raise LarkError(300313, f"no element {target}")
            at += place != "insert_before"
            changed = [*held[:at], *elements, *held[at:]]
        self.card.body.elements = changed
        try:
            self._check()
        except LarkError:
            self.card.body.elements = held
            raise

    def update_element(self, element_id: str, changes: Json, *, whole: bool) -> None:
        element = self._element(element_id)
        kept = {"element_id": element_id} if whole else dict(element)
        replaced: Json = kept | changes
        before = dict(element)
        element.clear()
        element.update(replaced)
        try:
            self._check()
        except LarkError:
            element.clear()
            element.update(before)
            raise

    def delete_element(self, element_id: str) -> None:
        self._element(element_id)
        self.card.body.elements = [
            element for element in self.card.body.elements if element.get("element_id") != element_id
        ]

    def _check(self) -> None:
        check_elements(self.card.body.elements)
        check_size(self.card)

    def _element(self, element_id: str) -> Json:
        for element in walk(self.card.body.elements):
            if element.get("element_id") == element_id:
                return element
        raise LarkError(300313, f"no element {element_id}")

    def _switch(self, streaming: bool, now: float) -> None:
        self.streaming = streaming
        self.expired_unnoticed = False
        if streaming:
            self.opened_at = now
