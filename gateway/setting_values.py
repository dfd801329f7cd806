"""The kinds of value that stand in the configuration, beyond text and number."""

from __future__ import annotations

import math
import re
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_FOREVER = 36500 * 86400.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d|)")
_DURATION_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "examples": ["330s", "5m", "2h"]}]
}
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):(\d{1,5})")
_SLUG = r"^[a-z0-9][a-z0-9-]{0,62}$"


def invalid(text: str) -> PydanticCustomError:
    """A problem in words of our own, remedy included."""
    # Not as the template itself: braces in it would be filled in.
    return PydanticCustomError("settings", "{text}", {"text": text})


def _no_truth_value(written: object) -> object:
    # To pydantic, yes is 1.
    if isinstance(written, bool):
        raise invalid("must be a whole number")
    return written


def _seconds(written: object) -> float:
    if isinstance(written, (int, float)) and not isinstance(written, bool):
        seconds = float(written) if abs(written) < _FOREVER else math.inf
    elif isinstance(written, str) and (match := _DURATION.fullmatch(written.strip())):
        seconds = float(match[1]) * _UNITS[match[2]]
    else:
        raise invalid("must be a duration such as 330s, 5m or 2h, or a number of seconds")
    if not 0 <= seconds < _FOREVER:
        raise invalid("must be a duration between 0s and 36500d")
    return seconds


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise invalid("must be an address such as https://bots.example.com")
    return text


def _listen_address(text: str) -> str:
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:  # noqa: PLR2004 - the largest port
        raise invalid("must be host:port, such as 127.0.0.1:8081")
    return text


def _slug(text: str) -> str:
    if re.fullmatch(_SLUG[1:-1], text) is None:
        raise invalid("must be lower-case letters, digits and hyphens, at most 63, such as help-desk")
    return text


Duration: TypeAlias = Annotated[float, BeforeValidator(_seconds), WithJsonSchema(_DURATION_SCHEMA)]
"""Seconds."""
Slug: TypeAlias = Annotated[str, AfterValidator(_slug), WithJsonSchema({"type": "string", "pattern": _SLUG})]
WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]
ListenAddress: TypeAlias = Annotated[str, AfterValidator(_listen_address)]
Whole: TypeAlias = Annotated[int, BeforeValidator(_no_truth_value)]
Count: TypeAlias = Annotated[Whole, Field(ge=1, le=1_000_000)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
