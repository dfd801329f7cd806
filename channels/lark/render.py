"""From a model's Markdown to what a card draws, and where to cut it.

Invariant: rendering a longer text begins with the rendering of the shorter one, so that the platform goes on
typing instead of drawing anew; but for the moment in which a table turns out to be one too many, or ``<at``
to be a mention. ``plain`` never gets shorter when the text gets longer: ``cut`` relies on it.
"""

from __future__ import annotations

import re

import orjson

from channels import markdown

PART_BYTES = 20_000
"""UTF-8 bytes of text in one card, which may have 30 KB as JSON (docs: 200860)."""

ESCAPED_BYTES = 26_000
"""The same as a JSON string. The remainder is for the card around it and for fences around tables."""

PART_BYTES_ESCAPED = 11_000
"""Text with so many quotes, line ends or tags that it would exceed ESCAPED_BYTES is cut here."""

TABLES = 4
"""A card may have 5 (docs: "表格"), of which Markdown tables count."""

SUMMARY_LENGTH = 60

# The platform's tag that notifies people: only we may decide that somebody is.
_AT_TAG = re.compile(r"<(?=/?at[\s/>])", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def render(text: str) -> str:
    return markdown.fence_tables(plain(text), TABLES)


def plain(text: str) -> str:
    """The text without control characters, lone surrogates and mentions that would notify somebody."""
    return _AT_TAG.sub("<\u200b", _CONTROL.sub("", text))


def cut(text: str) -> tuple[str, str] | None:
    """``Outbound.cut``. Looks no further than PART_BYTES, so that its choice stays when more text follows."""
    if 4 * len(text) > ESCAPED_BYTES and _escaped(_beginning(text)) > ESCAPED_BYTES:
        return markdown.cut(text, PART_BYTES_ESCAPED)
    return markdown.cut(text, PART_BYTES)


def summary(text: str) -> str:
    """What a chat list shows of it."""
    words = " ".join(plain(text[: 4 * SUMMARY_LENGTH]).split())
    return words if len(words) <= SUMMARY_LENGTH else words[: SUMMARY_LENGTH - 1] + "…"


def _beginning(text: str) -> str:
    return text[:PART_BYTES].encode("utf-8", "replace")[:PART_BYTES].decode("utf-8", "ignore")


def _escaped(text: str) -> int:
    return len(orjson.dumps(plain(text)))
