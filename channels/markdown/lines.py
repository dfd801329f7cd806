"""What a line is, told from its beginning as soon as that suffices.

Deeper structure than models write is not looked for: no item's text is a block of its own but for a code block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LONGEST_START = 1000
"""Characters by which a line shows what it is; else it is text."""

Kind = Literal["blank", "fence", "formula", "heading", "row", "rule", "underline", "item", "code", "text"]
"""``row`` is of a table, ``underline`` would make a heading of the paragraph above, ``code`` is indented."""

_QUOTE = re.compile(r"(?: {0,3}> ?)*")
_RULE = re.compile(r"([-*_])(?:[ \t]*\1){2,}[ \t]*")
_ITEM = re.compile(r"([-*+]|\d{1,9}[.)])(?:[ \t]+(.*))?", re.DOTALL)
_ITEM_TAIL = re.compile(r"(?:[-*+]|\d{1,9}[.)]?)[ \t]*")
_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")
_TASK_TAIL = re.compile(r"\[(?:[ xX](?:\][ \t]*)?)?")
_SHORTEST_FENCE = 3
_HIGHEST_HEADING = 6
_CODE_INDENT = 4
_TAB = 4


@dataclass(frozen=True, slots=True)
class Line:
    """``quote`` is how often it is quoted, ``indent`` the columns before ``body``, what stands behind both."""

    kind: Kind
    quote: int
    indent: int
    body: str


@dataclass(frozen=True, slots=True)
class Item:
    """An item's line: its marker, whether it is a task that is done (None: no task), and its text."""

    marker: str
    done: bool | None
    text: str

    @property
    def is_numbered(self) -> bool:
        return self.marker[-1] in ".)"


def line_of(line: str, *, complete: bool, paragraph: int | None, in_list: bool) -> Line | None:
    """What a line is. None if more of it has to be seen.

    ``paragraph`` is how often the paragraph is quoted that is open above, None if there is none.
    """
    start = line[:LONGEST_START]
    long = len(line) >= LONGEST_START
    opening = _QUOTE.match(start)
    assert opening is not None  # it may match nothing, but it matches
    rest = start[opening.end() :]
    body = rest.lstrip(" \t")
    indent = sum(_TAB if char == "\t" else 1 for char in rest[: len(rest) - len(body)])
    quote = opening[0].count(">")
    kind = _kind(
        body,
        complete=complete and not long,
        in_paragraph=paragraph == quote,
        in_list=in_list,
        indented=indent >= _CODE_INDENT,
    )
    if kind is None and not long:
        return None
    return Line(kind or "text", quote, indent, body + line[LONGEST_START:])


def item_of(line: Line) -> Item:
    """Of a line whose kind is ``item``."""
    found = _ITEM.fullmatch(line.body)
    assert found is not None  # that is how its kind was told
    text = found[2] or ""
    task = _TASK.match(text)
    if task is None:
        return Item(found[1], None, text)
    return Item(found[1], task[1] != " ", text[task.end() :])


def _kind(body: str, *, complete: bool, in_paragraph: bool, in_list: bool, indented: bool) -> Kind | None:
    if not body:
        return "blank" if complete else None
    first = body[0]
    kind: Kind | None = "text"
    if first in "`~":
        kind = _fence(body, first, complete=complete)
    elif first in "$\\":
        if body == first and not complete:
            return None
        kind = "formula" if body.startswith(("$$", "\\[")) else "text"
    elif first == "#":
        kind = _heading(body, complete=complete)
    elif first == "|":
        kind = "row"
    elif first in "-*_=+" or first.isdecimal():
        kind = _rule(body, first, complete=complete, in_paragraph=in_paragraph)
        if kind == "text":
            kind = _item(
                body, complete=complete, may_be_empty=not in_paragraph, any_number=in_list or not in_paragraph
            )
    if kind == "text" and indented and not in_paragraph and not in_list:
        return "code"
    return kind


def _fence(body: str, first: str, *, complete: bool) -> Kind | None:
    length = len(body) - len(body.lstrip(first))
    if length == len(body) and not complete:
        return None
    return "fence" if length >= _SHORTEST_FENCE else "text"


def _heading(body: str, *, complete: bool) -> Kind | None:
    length = len(body) - len(body.lstrip("#"))
    if length == len(body) and not complete:
        return None
    return (
        "heading" if length <= _HIGHEST_HEADING and body[length : length + 1] in {"", " ", "\t"} else "text"
    )


def _rule(body: str, first: str, *, complete: bool, in_paragraph: bool) -> Kind | None:
    if first not in "-*_=" or body.strip(f"{first} \t"):
        return "text"
    if not complete:
        return None
    if _RULE.fullmatch(body):
        return "rule"
    return "underline" if in_paragraph and first in "-=" and len(body.split()) == 1 else "text"


def _item(body: str, *, complete: bool, may_be_empty: bool, any_number: bool) -> Kind | None:
    if not complete and _ITEM_TAIL.fullmatch(body):
        return None
    found = _ITEM.fullmatch(body)
    if found is None:
        return "text"
    text = found[2] or ""
    if not complete and (_TASK_TAIL.fullmatch(text) or (text[0] in "`~" and not text.strip(text[0]))):
        return None
    if found[1][0].isdecimal() and not any_number and int(found[1][:-1]) != 1:
        return "text"
    return "item" if text or may_be_empty else "text"
