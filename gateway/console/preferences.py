"""What a person chose to see: language and colours, in cookies that say nothing about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from aiohttp import web

Language: TypeAlias = Literal["en", "zh"]
Theme: TypeAlias = Literal["auto", "light", "dark"]

_LANGUAGE = "turnkeeper-language"
_THEME = "turnkeeper-theme"
_YEAR = 365 * 86400
_MOST_RANGES = 20


@dataclass(frozen=True, slots=True)
class Preferences:
    language: Language = "en"
    theme: Theme = "auto"


def preferences(request: web.Request) -> Preferences:
    """As chosen, else as the browser asks."""
    language = _language(request.cookies.get(_LANGUAGE)) or _accepted(
        request.headers.get("Accept-Language", "")
    )
    return Preferences(language, _theme(request.cookies.get(_THEME)) or "auto")


def keep(response: web.StreamResponse, *, language: object = None, theme: object = None) -> None:
    """What is none of the choices is left out."""
    for name, value in ((_LANGUAGE, _language(language)), (_THEME, _theme(theme))):
        if value is not None:
            response.set_cookie(name, value, path="/console", max_age=_YEAR, samesite="Lax", httponly=True)


def _language(written: object) -> Language | None:
    return next((one for one in get_args(Language) if one == written), None)


def _theme(written: object) -> Theme | None:
    return next((one for one in get_args(Theme) if one == written), None)


def _accepted(header: str) -> Language:
    best: tuple[float, Language] = (0.0, "en")
    for item in header.split(",")[:_MOST_RANGES]:
        tag, _, parameter = item.partition(";")
        language = _language(tag.strip().lower().partition("-")[0])
        if language is not None and (quality := _quality(parameter)) > best[0]:
            best = (quality, language)
    return best[1]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return min(1.0, float(value))
    except ValueError:
        return 0.0
