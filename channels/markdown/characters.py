"""Characters as bytes of UTF-8, and as the eye takes them."""

from __future__ import annotations

import unicodedata

_LENIENT = ("utf-8", "surrogatepass")
_CONTINUES_CHARACTER = 0b10  # the first bits of such a byte in UTF-8
_JOINING = frozenset(("Mn", "Mc", "Me"))


def size(text: str) -> int:
    """In bytes."""
    return len(text.encode(*_LENIENT))


def characters_within(text: str, limit: int) -> int:
    """How many characters of the text's beginning are no more than ``limit`` bytes."""
    raw = text.encode(*_LENIENT)
    if len(raw) <= limit:
        return len(text)
    end = limit
    while raw[end] >> 6 == _CONTINUES_CHARACTER:
        end -= 1
    return len(raw[:end].decode(*_LENIENT))


def are_joined(text: str, position: int) -> bool:
    """Whether the characters before and after belong together for the eye."""
    before, after = text[position - 1], text[position]
    return (
        after in "\u200d\u20e3"
        or before == "\u200d"
        or unicodedata.category(after) in _JOINING
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags of regional flags
        or (before == "\r" and after == "\n")
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
        or (
            _is_flag_letter(before)
            and _is_flag_letter(after)
            and _flag_letters_before(text, position) % 2 == 1
        )
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, position: int) -> int:
    start = position
    while start and _is_flag_letter(text[start - 1]):
        start -= 1
    return position - start
