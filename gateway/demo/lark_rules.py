"""Lark's rules for what is sent: error codes, cards of schema 2.0, message contents, and the text in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

Json = dict[str, object]

CARD_BYTES = 30 * 1024
TEXT_BYTES = 150 * 1024
CARD_ELEMENTS = 200
CARD_TABLES = 5

ELEMENT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,19}")
FENCE = re.compile(r"\s*(```|~~~)")
TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*")

ONLY_IN_SCHEMA_1 = frozenset({"action", "note"})


class LarkError(Exception):
    """An error as Lark numbers it. ``fault``: a correct client would not have caused it."""

    def __init__(self, code: int, message: str, *, fault: bool = True) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.fault = fault


class _Forbidding(BaseModel):
    """Unknown properties of a card are errors."""

    model_config = ConfigDict(extra="forbid")


class CardConfig(_Forbidding):
    streaming_mode: bool | None = None
    streaming_config: Json | None = None
    summary: Json | None = None
    locales: list[str] | None = None
    enable_forward: bool | None = None
    enable_forward_interaction: bool | None = None
    update_multi: bool | None = None
    width_mode: str | None = None
    use_custom_translation: bool | None = None
    style: Json | None = None


class CardHeader(_Forbidding):
    title: Json | None = None
    subtitle: Json | None = None
    text_tag_list: list[Json] | None = None
    i18n_text_tag_list: Json | None = None
    template: str | None = None
    icon: Json | None = None
    padding: str | None = None


class CardBody(_Forbidding):
    direction: str | None = None
    padding: str | None = None
    horizontal_spacing: str | None = None
    horizontal_align: str | None = None
    vertical_spacing: str | None = None
    vertical_align: str | None = None
    elements: list[Json] = []


class Card(_Forbidding):
    """A card without its ``schema``, which is checked before, under its own error code."""

    config: CardConfig = CardConfig()
    card_link: Json | None = None
    header: CardHeader | None = None
    body: CardBody = CardBody()


def decoded(text: str) -> Json:
    """A JSON object in a string. Raises LarkError if it is none."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LarkError(10002, "not a JSON string") from error
    if not isinstance(value, dict):
        raise LarkError(10002, "not a JSON object")
    return value


def elements_in(text: str) -> list[Json]:
    """The card elements in a JSON string."""
    try:
        return TypeAdapter(list[Json]).validate_json(text)
    except ValidationError as error:
        raise LarkError(10002, "elements is a JSON string holding a list") from error


def read_card(text: str) -> Card:
    """The card in a JSON string. Raises LarkError for whatever Lark would not show."""
    if len(text.encode()) > CARD_BYTES:
        raise LarkError(200860, "card content over 30 KB")
    document = decoded(text)
    if document.pop("schema", None) != "2.0":
        raise LarkError(300303, "card is not of schema 2.0")
    try:
        card = Card.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise LarkError(10002, f"card property {path}: {first['msg']}") from error
    if card.config.update_multi is False:
        raise LarkError(300302, "update_multi: false is not allowed")
    check_elements(card.body.elements)
    return card


def check_size(card: Card) -> None:
    """What holds for a card however it was changed: its JSON has a limit."""
    if len(orjson.dumps({"schema": "2.0", **card.model_dump(exclude_none=True)})) > CARD_BYTES:
        raise LarkError(200860, "card content over 30 KB")


def check_elements(elements: Sequence[Json]) -> None:
    """What holds for all elements of a card together."""
    seen: set[str] = set()
    count = tables = 0
    for element in walk(elements):
        count += 1
        tag = element.get("tag")
        if tag in ONLY_IN_SCHEMA_1:
            raise LarkError(10002, f"element {tag} is not in schema 2.0")
        match element.get("element_id"):
            case None:
                pass
            case str(name) if ELEMENT_ID.fullmatch(name) and name not in seen:
                seen.add(name)
            case name:
                raise LarkError(300301, f"element_id {name} is not valid or not unique")
        match element:
            case {"tag": "markdown", "content": str(text)}:
                tables += count_tables(text)
            case {"tag": "markdown"}:
                raise LarkError(10002, "a markdown element needs content")
            case {"tag": "table"}:
                tables += 1
    if count > CARD_ELEMENTS:
        raise LarkError(300305, "over 200 elements")
    if tables > CARD_TABLES:
        raise LarkError(
            230099, "Failed to create card content, ext=ErrCode: 11310; ErrMsg: card table number over limit"
        )


def walk(elements: Sequence[object]) -> Iterator[Json]:
    """Every element, the nested ones too."""
    for element in elements:
        if not isinstance(element, dict) or not isinstance(element.get("tag"), str):
            raise LarkError(10002, "an element without tag")
        yield element
        for name in ("elements", "columns", "actions"):
            nested = element.get(name)
            if isinstance(nested, list):
                yield from walk(nested)
        match element.get("text"):
            case {"element_id": str()} as text:
                yield from walk([text])


def count_tables(markdown: str) -> int:
    """Markdown tables outside code fences."""
    tables = 0
    fenced = False
    for line in markdown.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced and TABLE_RULE.fullmatch(line):
            tables += 1
    return tables


def text_of_card(elements: Sequence[Json]) -> str:
    """What a person reads in a card: its Markdown and plain text, without buttons."""
    lines: list[str] = []
    for element in walk(elements):
        match element:
            case {"tag": "markdown", "content": str(text)}:
                lines.append(text)
            case {"tag": "div", "text": {"content": str(text)}}:
                lines.append(text)
    return "\n".join(line for line in lines if line.strip())


def text_of_content(msg_type: str, content: str) -> str:
    """What a person reads in a text or post message. Raises LarkError if the content is not one."""
    if len(content.encode()) > (TEXT_BYTES if msg_type == "text" else CARD_BYTES):
        raise LarkError(230025, "message content over the limit")
    match msg_type, decoded(content):
        case "text", {"text": str(text)} if text.strip():
            return text
        case "post", {**locales} if locales and set(locales) <= {"zh_cn", "en_us", "ja_jp"}:
            return _text_of_post(next(iter(locales.values())))
        case "image", {"image_key": str(key)} if key:
            return f"[image: {key}]"
        case "file", {"file_key": str(key)} if key:
            return f"[file: {key}]"
        case "text" | "post" | "image" | "file", _:
            raise LarkError(230001, f"invalid content of a {msg_type} message")
        case _:
            raise LarkError(230001, f"message type {msg_type} is not understood here")


def _text_of_post(post: object) -> str:
    match post:
        case {"content": [*paragraphs]} if paragraphs:
            return "\n".join(_text_of_paragraph(paragraph) for paragraph in paragraphs)
        case _:
            raise LarkError(230001, "a post needs content")


def _text_of_paragraph(paragraph: object) -> str:
    if not isinstance(paragraph, list):
        raise LarkError(230001, "a post's paragraph is a list")
    parts: list[str] = []
    for element in paragraph:
        match element:
            case {"tag": "md"} if len(paragraph) > 1:
                raise LarkError(230001, "md must stand alone in its paragraph")
            case {"tag": "md" | "text" | "a" | "code_block", "text": str(text)}:
                parts.append(text)
            case {"tag": "at" | "img" | "media" | "emotion" | "hr"}:
                pass
            case _:
                raise LarkError(230001, "an unknown tag in a post")
    return "".join(parts)


def merged(config: CardConfig, changes: Mapping[str, object]) -> CardConfig:
    """A card's configuration after a change of settings."""
    try:
        return CardConfig.model_validate(config.model_dump() | dict(changes))
    except ValidationError as error:
        raise LarkError(10002, "an unknown setting") from error
