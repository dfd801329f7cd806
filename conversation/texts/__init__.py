"""What a person reads when there is no answer: one short sentence per reason, and never an internal detail.

A language is a module with a table; every table has every reason, which a test asserts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from conversation.messages import Locale
from conversation.texts import en, zh
from conversation.texts.hints import Hint
from conversation.texts.troubles import Trouble
from conversation.turn import Reason

_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_TABLES = {"en": en.NOTICES, "zh": zh.NOTICES}
_HINTS = {"en": en.HINTS, "zh": zh.HINTS}
_KINDS = {"en": en.KINDS, "zh": zh.KINDS}
_SEPARATORS = {"en": ", ", "zh": "、"}
_MOST_NAMES, _LONGEST_NAME = 5, 80
_DECLINED = {"en": en.DECLINED, "zh": zh.DECLINED}
_FILES = {"en": en.FILES, "zh": zh.FILES}
_REFERENCES = {"en": en.REFERENCE, "zh": zh.REFERENCE}


def notice(reason: Reason, locale: Locale, reference: str, declined: Sequence[str] = ()) -> str:
    """The sentence for a person, with the id by which an admin finds the turn.

    ``declined`` as InboundMessage.declined, for Reason.UNSUPPORTED.
    """
    sentence = _TABLES[locale][reason]
    if reason is Reason.UNSUPPORTED:
        sentence = sentence.replace("{declined}", _listed(declined, locale) or "?")
    return f"{sentence} {_REFERENCES[locale].format(reference=reference)}"


def _listed(names: Sequence[str], locale: Locale) -> str:
    """The first few names, each of which a kind of content may have in this language too."""
    shown = [_KINDS[locale].get(name, name[:_LONGEST_NAME]) for name in names[:_MOST_NAMES]]
    return _SEPARATORS[locale].join(shown) + (" …" if len(names) > _MOST_NAMES else "")


def hint(which: Hint, locale: Locale) -> str:
    return _HINTS[locale][which]


def about_declined(names: Sequence[str], locale: Locale) -> str:
    """``InboundMessage.declined``, beside what can be answered."""
    return _DECLINED[locale].format(names=_listed(names, locale))


def about_files(trouble: Trouble, names: Sequence[str], locale: Locale) -> str:
    """What became of these files."""
    return _FILES[locale][trouble].format(names=", ".join(names))


def locale_of(text: str) -> Locale:
    """The language of a message, as far as notices go: Chinese if it has a Chinese character."""
    return "zh" if _IDEOGRAPH.search(text) else "en"
