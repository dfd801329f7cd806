"""What the console says: one module per language, with the same keys, which a test asserts.

A text may hold names in braces, to be filled in, and `code`, for texts that a template shows with ``marked``.
"""

from __future__ import annotations

from typing import Final

from gateway.console.preferences import Language
from gateway.console.texts import en, zh

TABLES: Final[dict[Language, dict[str, str]]] = {"en": en.TEXTS, "zh": zh.TEXTS}


def text(language: Language, key: str, **values: object) -> str:
    """Raises KeyError: a missing text is a bug, which tests find."""
    written = TABLES[language][key]
    return written.format(**values) if values else written


class Say:
    """``text`` of one language, for templates."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, key: str, **values: object) -> str:
        return text(self._language, key, **values)

    def known(self, key: str) -> bool:
        return key in TABLES[self._language]

    def either(self, key: str, plain: str) -> str:
        """The text if there is one: for words of the program that may be newer than the texts."""
        return TABLES[self._language].get(key, plain)
