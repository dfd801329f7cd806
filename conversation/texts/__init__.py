"""What a person reads when there is no answer: one short sentence per reason, and never an internal detail.

A language is a module with a table; every table has every reason, which a test asserts.
"""

from __future__ import annotations

from conversation.messages import Locale
from conversation.texts import en, zh
from conversation.turn import Reason

_TABLES = {"en": en.NOTICES, "zh": zh.NOTICES}
_REFERENCES = {"en": en.REFERENCE, "zh": zh.REFERENCE}


def notice(reason: Reason, locale: Locale, reference: str) -> str:
    """The sentence for a person, with the id by which an admin finds the turn."""
    return f"{_TABLES[locale][reason]} {_REFERENCES[locale].format(reference=reference)}"


def locale_of(text: str) -> Locale:
    """The language of a message, as far as notices go: Chinese if it has a Chinese character."""
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"
