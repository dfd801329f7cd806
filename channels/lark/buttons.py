"""What a card shows under its text: a button that stops the answer, and when it has ended those of its controls.

A button brings its value back as it was given (docs: "卡片回传交互"), with the language of the card: a callback does
not tell that of the person.
"""

from __future__ import annotations

from typing import get_args

import orjson
from pydantic import BaseModel, ValidationError

from conversation.controls import Button, ButtonKind, Controls, MalformedButtonError
from conversation.messages import Locale
from conversation.texts import hint
from conversation.texts.hints import Hint

Element = dict[str, object]


def while_growing(controls: Controls | None) -> list[Element]:
    if controls is None:
        return []
    return [_button("stop", hint(Hint.STOP, controls.locale), controls)]


def when_ended(controls: Controls | None) -> list[Element]:
    if controls is None:
        return []
    below: list[Element] = []
    if controls.note:
        below.append(
            {"tag": "markdown", "element_id": "note", "content": controls.note, "text_size": "notation"}
        )
    if controls.retry:
        below.append(_button("retry", f"↻ {hint(Hint.TRY_AGAIN, controls.locale)}", controls))
    if controls.feedback:
        judging = [_button("good", "👍", controls), _button("bad", "👎", controls)]
        columns = [{"tag": "column", "width": "auto", "elements": [button]} for button in judging]
        below.append({"tag": "column_set", "element_id": "feedback", "columns": columns})
    return below


class _Value(BaseModel):
    turnkeeper: str
    locale: str = ""


def read_button(value: dict[str, object] | str | None) -> tuple[Button, Locale] | None:
    """The button of ours that was pressed, and the language of its card; None for any other."""
    try:
        given = _Value.model_validate_json(value) if isinstance(value, str) else _Value.model_validate(value)
        button = Button.parse(given.turnkeeper)
    except (ValidationError, MalformedButtonError):
        return None
    return button, next((locale for locale in get_args(Locale) if locale == given.locale), "en")


def _button(kind: ButtonKind, label: str, controls: Controls) -> Element:
    return {
        "tag": "button",
        "element_id": kind,
        "type": "default",
        "size": "small",
        "text": {"tag": "plain_text", "content": label},
        "behaviors": [
            {
                "type": "callback",
                "value": {"turnkeeper": controls.value(kind), "locale": controls.locale},
            }
        ],
    }


def toast(text: str) -> bytes:
    """The answer to a callback that shows this to who pressed (docs: "卡片回传交互")."""
    return orjson.dumps({"toast": {"type": "info", "content": text}})
