"""The bodies of the calls that the Lark stand-in understands."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Unknown fields are ignored, as on the platform; types are not converted."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class TokenRequest(Body):
    app_id: str
    app_secret: str


class Reply(Body):
    msg_type: Literal["text", "post", "interactive", "image", "file"]
    content: str
    uuid: str | None = None
    reply_in_thread: bool = False


class Create(Reply):
    receive_id: str
    receive_id_type: Literal["chat_id", "open_id"]


class Edit(Body):
    msg_type: Literal["text", "post"]
    content: str


class PatchCard(Body):
    content: str


class Emoji(Body):
    emoji_type: str


class React(Body):
    reaction_type: Emoji


class ListReactions(Body):
    reaction_type: str | None = None


class CreateCard(Body):
    type: Literal["card_json"]
    data: str


class Operation(Body):
    """What every change of a card carries."""

    sequence: int
    uuid: str | None = None


class ElementContent(Operation):
    content: str


class Settings(Operation):
    settings: str


class CardData(Body):
    type: Literal["card_json"]
    data: str


class ReplaceCard(Operation):
    card: CardData


class InsertElements(Operation):
    """``elements`` is a JSON string holding a list."""

    type: Literal["insert_before", "insert_after", "append"]
    target_element_id: str = ""
    elements: str


class ReplaceElement(Operation):
    element: str


class PatchElement(Operation):
    partial_element: str
