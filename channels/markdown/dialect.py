"""What a platform draws of Markdown, and how it wants it written. Each platform has a subclass.

The defaults are CommonMark with GitHub's tables. No method may look at anything but its arguments: renderings are
stable because of that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Emphasis = Literal["em", "strong", "strike"]

BREAK = "\u200b"
"""A zero-width space: takes a tag apart without being seen."""

NEVER = re.compile(r"(?!)")


class Dialect:
    def __init__(self, people: Mapping[str, str] = MappingProxyType({})) -> None:
        """``people`` are what mentions them, by name: "@" and the name becomes it, but in code and in links."""
        self.people = people

    tables = 1_000_000
    """Tables in one message; further ones become code blocks."""

    columns = 1_000_000
    """Columns of one table; a wider one becomes a code block."""

    rows = 1_000_000
    """Rows of one table, below its header; a longer one becomes several."""

    schemes: frozenset[str] = frozenset({"http", "https"})
    """Of the addresses that may be linked."""

    broadcasts: tuple[str, ...] = ()
    """Words that could notify many people if they follow an ``@``."""

    code_tag = NEVER
    """Where in code a tag begins that would notify people. It may look ahead, but no further than ``code_tail``."""

    code_tail = NEVER
    """The end of a text that may be the beginning of such a tag."""

    marks: Mapping[Emphasis, str] = {"em": "*", "strong": "**", "strike": "~~"}

    def heading(self, level: int, text: str) -> str:
        return f"{'#' * level} {text}"

    def task(self, *, done: bool) -> str:
        """What stands for the box of a list of tasks."""
        return "[x] " if done else "[ ] "

    def language(self, name: str) -> str:
        """Of a code block, as the platform calls it."""
        return name

    def link(self, text: str, address: str) -> str:
        return f"[{text}]({address})"

    def address(self, address: str, *, tight: bool) -> str:
        """An address that stands in the text as it is; ``tight``: with something behind it that is no part of it."""
        return f"<{address}>" if tight else address

    def line_break(self, *, in_table: bool) -> str:
        return " " if in_table else "\n"

    def gap(self, outside: str, *, sound: bool) -> str:
        """What goes between a mark of emphasis or code and the character outside it.

        ``sound``: CommonMark would understand the mark as it stands.
        """
        return "" if sound or not outside else " "

    def escaped(self, char: str) -> str:
        """A character that the model took the meaning off with a backslash."""
        return f"\\{char}"

    def less_than(self) -> str:
        """A ``<`` before what could be a tag."""
        return "&lt;"

    def tilde(self) -> str:
        """A single ``~``, which is no mark."""
        return "~"

    def code(self, text: str) -> str:
        """Text of code, where nothing can be escaped."""
        return self.code_tag.sub(f"<{BREAK}", text)

    def code_span(self, text: str, marks: str = "`") -> str:
        return f"{marks}{self.code(text)}{marks}"


class Plain(Dialect):
    """Text without any markup, as it can stand in code."""

    marks: Mapping[Emphasis, str] = {"em": "", "strong": "", "strike": ""}

    def link(self, text: str, address: str) -> str:
        return text if text == address else f"{text} ({address})"

    def address(self, address: str, *, tight: bool) -> str:  # noqa: ARG002 -- nothing is linked
        return address

    def line_break(self, *, in_table: bool) -> str:  # noqa: ARG002 -- all in one line
        return " "

    def gap(self, outside: str, *, sound: bool) -> str:  # noqa: ARG002 -- there are no marks
        return ""

    def escaped(self, char: str) -> str:
        return char

    def less_than(self) -> str:
        return "<"

    def code_span(self, text: str, marks: str = "`") -> str:  # noqa: ARG002 -- there are no marks
        return text


PLAIN = Plain()


CJK = (
    "\u2e80-\u9fff"  # radicals, punctuation, kana, ideographs
    "\uac00-\ud7af"  # Hangul
    "\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"  # compatibility and full-width forms
    "\U00020000-\U0003ffff"
    "“”‘’…—·"  # shared with other scripts, and set tight in Chinese
)
"""Characters of scripts that are written without spaces, and their punctuation, as a class in regular expressions."""

_CJK = re.compile(f"[{CJK}]")


def is_cjk(char: str) -> bool:
    return _CJK.match(char) is not None
