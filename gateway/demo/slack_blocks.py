"""Slack's rules for blocks: what a person reads of them, and can press (docs: reference/block-kit)."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence

from gateway.demo.slack_errors import SlackError

Json = dict[str, object]

MARKDOWN_CHARS = 12_000
SECTION_CHARS = 3_000
BLOCKS = 50
BLOCKS_CHARS = 13_200
"""Of a message's blocks as JSON (public issue bolt-js #2509)."""

VALUE_CHARS = 2_000
LABEL_CHARS = 75
ACTION_ID_CHARS = 255


def text_of(blocks: Sequence[Json]) -> str:
    """What a person reads, without the labels of buttons. Raises SlackError."""
    if len(blocks) > BLOCKS:
        raise SlackError("msg_blocks_too_many")
    lines: list[str] = []
    markdown = 0
    for block in blocks:
        match block:
            case {"type": "markdown", "text": str(text)}:
                markdown += len(text)
                lines.append(text)
            case {"type": "section", "text": {"text": str(text)}}:
                if len(text) > SECTION_CHARS:
                    raise SlackError("invalid_blocks")
                lines.append(html.unescape(text))
            case {"type": "context", "elements": [*elements]}:
                lines.extend(text for element in elements for text in _text_of_element(element))
            case {"type": "actions" | "divider" | "image" | "header" | "rich_text" | "context_actions"}:
                pass
            case _:
                raise SlackError("invalid_blocks")
    if markdown > MARKDOWN_CHARS or len(json.dumps(blocks, ensure_ascii=False)) > BLOCKS_CHARS:
        raise SlackError("msg_blocks_too_long")
    return "\n".join(lines)


def buttons_of(blocks: Sequence[Json]) -> dict[str, tuple[str, str]]:
    """The action and value of each button, by label. Raises SlackError."""
    found: dict[str, tuple[str, str]] = {}
    for block in blocks:
        match block:
            case {"type": "actions" | "context_actions", "elements": [_, *_] as elements}:
                for element in elements:
                    found.update(_buttons(element))
            case {"type": "actions" | "context_actions"}:
                raise SlackError("invalid_blocks")
            case _:
                pass
    return found


def _buttons(element: object) -> Iterator[tuple[str, tuple[str, str]]]:
    match element:
        case {"type": "button", "action_id": str(id), "text": label, "value": value}:
            yield _button(id, label, value)
        case {
            "type": "feedback_buttons",
            "action_id": str(id),
            "positive_button": {"text": good, "value": good_value},
            "negative_button": {"text": bad, "value": bad_value},
        }:
            yield _button(id, good, good_value)
            yield _button(id, bad, bad_value)
        case _:
            raise SlackError("invalid_blocks")


def _button(id: str, label: object, value: object) -> tuple[str, tuple[str, str]]:
    match label:
        case {"type": "plain_text", "text": str(text)} if 0 < len(text) <= LABEL_CHARS:
            pass
        case _:
            raise SlackError("invalid_blocks")
    if not isinstance(value, str) or len(value) > VALUE_CHARS or not 0 < len(id) <= ACTION_ID_CHARS:
        raise SlackError("invalid_blocks")
    return text, (id, value)


def _text_of_element(element: object) -> list[str]:
    match element:
        case {"text": str(text)}:
            return [html.unescape(text)]
        case _:
            return []
