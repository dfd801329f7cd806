"""What stands within a line and is no emphasis: code, formulas, links, images, addresses, tags.

A span that is not what it seems is its first character, and what follows is looked at anew.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

from channels.markdown.ahead import SPAN, Ahead, UndecidedError
from channels.markdown.dialect import BREAK, Dialect, is_cjk

FORMULA = 200
"""Characters of a formula, at most. Few, as a ``$`` mostly is money."""

FENCE = 3
"""Backticks that would begin a block of code."""

DEEPEST = 4
"""Brackets within the brackets of a link."""

IMAGE = "🖼"
"""Stands for an image that can neither be linked nor told about."""

SPECIAL = re.compile(r"[\\`*_~$\[<@]|!(?=\[)|(?<![A-Za-z0-9])https?://")
"""Where something may begin, marks of emphasis included."""

SPECIAL_TAIL = re.compile(r"!\Z|(?<![A-Za-z0-9])h(?:t(?:t(?:ps?(?::/?)?)?)?)?\Z")
"""The end of a text that may become such a place."""

LONGEST_TAIL = len("https:/")

_BRACKET = re.compile(r"[\\`\[\]]")
_PARENTHESIS = re.compile(r"[()\n]")
_DESTINATION = re.compile(r"""\s*(?:<([^<>\s]*)>|([^\s<]*))(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*""")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+)>", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br[ \t]*/?>", re.IGNORECASE)
_UNFINISHED = re.compile(r"<(?:[A-Za-z][^\s<>]*|br[ \t]*/?)\Z", re.IGNORECASE)
_MAYBE_TAG = re.compile(r"<[A-Za-z/!?@#]")
# Letters beyond ASCII belong to an address only right behind a slash, as in https://zh.wikipedia.org/wiki/中文.
_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9\-._~:/?#@!$&'()+,;=%]|(?<=/)[^\W\x00-\x7f]+)*")
_BEHIND_ADDRESS = ".,;:!?'_~&"
_OF_WORDS = re.compile(r"[A-Za-z0-9_\u00c0-\u024f]")
_AMOUNT = re.compile(r"[0-9][0-9.,]*")
_GOES_ON_AS_FORMULA = re.compile(r"[\\^_+*/=({|<>\-A-Za-z]")
_SURELY_A_FORMULA = re.compile(r"[\\^_={}+*/<>|]")


class Spans:
    """``inside`` renders what stands within brackets, where no link may be."""

    def __init__(
        self, ahead: Ahead, dialect: Dialect, inside: Callable[[str], str], *, in_table: bool, in_link: bool
    ) -> None:
        self._ahead = ahead
        self._dialect = dialect
        self._inside = inside
        self._in_table = in_table
        self._in_link = in_link

    def take(self, at: int) -> tuple[int, str]:  # noqa: PLR0911 -- one for each character
        """Where the span that begins here ends, and what it becomes. Raises UndecidedError."""
        match self._ahead.text[at]:
            case "\\":
                return self._backslash(at)
            case "`":
                return self._code(at)
            case "$":
                return self._dollar(at)
            case "!":
                return self._image(at)
            case "[":
                return self._link(at)
            case "<":
                return self._tag(at)
            case "@":
                return self._at_sign(at)
            case _:
                return self._address(at)

    def _backslash(self, at: int) -> tuple[int, str]:
        char = self._ahead.char(at + 1)
        if char in {"(", "["}:  # perhaps of a formula
            formula = self._formula(at, at + 2, "\\)" if char == "(" else "\\]")
            if formula is not None:
                return formula
        if char == "\n":
            return at + 1, ""  # the end of the line is a break already
        if char == "@" and self._dialect.broadcasts:
            return at + 1, ""  # a backslash would not keep it from notifying people
        if char and char in string.punctuation:
            return at + 2, self._dialect.escaped(char)
        return at + 1, "\\"

    def _code(self, at: int) -> tuple[int, str]:
        inside = self._ahead.run(at)
        marks = self._ahead.text[at:inside]
        if len(marks) == SPAN:
            return inside, marks
        closing = self._ahead.backticks(len(marks), inside, inside + SPAN)
        if closing is None:
            return inside, marks if len(
                marks
            ) < FENCE else BREAK + marks  # a <br> may have made it begin a line
        code = self._ahead.text[inside:closing].replace("\n", " ")
        return self._set_apart(at, closing + len(marks), self._dialect.code_span(code, marks))

    def _set_apart(self, at: int, end: int, piece: str) -> tuple[int, str]:
        before, behind = self._ahead.text[at - 1], self._ahead.char(end)
        gaps = [self._dialect.gap(outside.strip(), sound=True) for outside in (before, behind)]
        return end, piece.join(gaps)

    # Formulas become code: no platform sets TeX, and its marks must not be taken for emphasis.

    def _dollar(self, at: int) -> tuple[int, str]:
        if self._ahead.char(at + 1) == "$":
            return self._formula(at, at + 2, "$$") or (at + 2, "$$")
        return self._dollar_formula(at) or (at + 1, "$")

    def _dollar_formula(self, at: int) -> tuple[int, str] | None:
        if not self._ahead.char(at + 1).strip():
            return None
        amount = _AMOUNT.match(self._ahead.text, at + 1, at + FORMULA)
        if amount is not None and not _GOES_ON_AS_FORMULA.match(self._ahead.char(amount.end())):
            return None
        closing = self._ahead.find("$", at + 1, FORMULA)
        if closing is None:
            return None
        formula, behind = self._ahead.text[at + 1 : closing], self._ahead.char(closing + 1)
        if formula[-1].isspace() or "\n" in formula or not _like_a_formula(formula):
            return None
        if behind.isascii() and (behind.isalnum() or behind == "$"):
            return None
        return self._formula(at, at + 1, "$")

    def _formula(self, at: int, inside: int, closing: str) -> tuple[int, str] | None:
        end = self._ahead.find(closing, inside, FORMULA)
        if end is None:
            return None
        formula = " ".join(self._ahead.text[inside:end].split())
        if not formula or "`" in formula:
            return None
        if closing == "\\]" and not _SURELY_A_FORMULA.search(formula):  # escaped brackets
            return None
        if closing == "\\)" and not _like_a_formula(formula):
            return None
        return self._set_apart(at, end + len(closing), self._dialect.code_span(formula))

    # Links

    def _image(self, at: int) -> tuple[int, str]:
        """An image becomes a link to it."""
        found = self._bracketed(at + 1)
        if found is None:
            return at + 1, "!"
        end, text, address = found
        shown = self._inside(text).strip()
        if self._in_link or not self._is_linked(address):
            return end, shown or IMAGE
        if not shown:
            return end, self._dialect.address(address, tight=False)
        return end, self._dialect.link(shown, _encoded(address))

    def _link(self, at: int) -> tuple[int, str]:
        found = self._bracketed(at)
        if found is None:
            return at + 1, "["
        end, text, address = found
        shown = self._inside(text)
        if self._in_link:
            return end, shown
        if not self._is_linked(address) or not shown.strip():
            return end, self._unlinked(shown, address.removeprefix("mailto:"))
        return end, self._dialect.link(shown, _encoded(address))

    def _unlinked(self, shown: str, address: str) -> str:
        """What the platform would not link; an address within the same text says nothing."""
        if not address or address.startswith("#") or "`" in address or address == shown:
            return shown
        where = self._dialect.code_span(address)
        return f"{shown} ({where})" if shown.strip() else where

    def _bracketed(self, at: int) -> tuple[int, str, str] | None:
        """``[text](address "title")``: where it ends, text and address."""
        closing = self._closing_bracket(at)
        if closing is None or self._ahead.char(closing + 1) != "(":
            return None
        end = self._closing_parenthesis(closing + 1)
        if end is None:
            return None
        destination = _DESTINATION.fullmatch(self._ahead.text, closing + 2, end)
        if destination is None:
            return None
        return end + 1, self._ahead.text[at + 1 : closing], destination[1] or destination[2] or ""

    def _closing_bracket(self, at: int) -> int | None:
        depth, position, limit = 0, at, at + SPAN
        while (found := self._ahead.first_of(_BRACKET, position, limit)) is not None:
            position = found.end()
            match found[0]:
                case "[":
                    depth += 1
                    if depth > DEEPEST:
                        return None
                case "]":
                    depth -= 1
                    if not depth:
                        return found.start()
                case "\\":
                    position += 1
                case _:
                    inside = self._ahead.run(found.start())
                    count = inside - found.start()
                    closing = self._ahead.backticks(count, inside, limit)
                    position = inside if closing is None else closing + count
        return None

    def _closing_parenthesis(self, at: int) -> int | None:
        depth, position = 0, at
        while (found := self._ahead.first_of(_PARENTHESIS, position, at + SPAN)) is not None:
            if found[0] == "\n":
                return None
            depth += 1 if found[0] == "(" else -1
            if not depth:
                return found.start()
            if depth > DEEPEST:
                return None
            position = found.end()
        return None

    def _is_linked(self, address: str) -> bool:
        found = _SCHEME.match(address)
        return found is not None and found[1].lower() in self._dialect.schemes

    def _address(self, at: int) -> tuple[int, str]:
        """An address that stands in the text as it is."""
        found = _ADDRESS.match(self._ahead.text, at, at + SPAN)
        assert found is not None  # called where there is one
        self._ahead.char(found.end())
        address = found[0].rstrip(_BEHIND_ADDRESS)
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_BEHIND_ADDRESS)
        end = at + len(address)
        if self._in_link or address.endswith("/"):
            return end, address
        return end, self._dialect.address(address, tight=is_cjk(self._ahead.char(end)))

    # Tags and people

    def _tag(self, at: int) -> tuple[int, str]:
        text, limit = self._ahead.text, at + SPAN
        self._ahead.char(at + 1)
        if (found := _AUTOLINK.match(text, at, limit)) is not None:
            if self._in_link or not self._is_linked(found[1]):
                return found.end(), found[1].removeprefix("mailto:")
            return found.end(), self._dialect.address(found[1], tight=True)
        if (found := _LINE_BREAK.match(text, at, limit)) is not None:
            return found.end(), self._dialect.line_break(in_table=self._in_table)
        if not self._ahead.final and len(text) < limit and _UNFINISHED.match(text, at) is not None:
            raise UndecidedError
        return at + 1, self._dialect.less_than() if _MAYBE_TAG.match(text, at) else "<"

    def _at_sign(self, at: int) -> tuple[int, str]:
        text = self._ahead.text
        if text[at - 1].isascii() and text[at - 1].isalnum():  # of a mail's address
            return at + 1, "@"
        if not self._in_link and (found := self._person(at)) is not None:
            return found
        for word in self._dialect.broadcasts:
            ahead = text[at + 1 : at + 1 + len(word)].lower()
            if ahead == word:
                return at + 1, f"@{BREAK}"
            if word.startswith(ahead) and at + 1 + len(ahead) == len(text) and not self._ahead.final:
                raise UndecidedError
        return at + 1, "@"

    def _person(self, at: int) -> tuple[int, str] | None:
        """The longest name of somebody that stands here."""
        text, longest = self._ahead.text, ""
        for name in self._dialect.people:
            ahead = text[at + 1 : at + 1 + len(name)]
            if ahead == name:
                behind = self._ahead.char(at + 1 + len(name))
                ends = not (_OF_WORDS.match(behind) and _OF_WORDS.match(name[-1]))
                longest = max(longest, name, key=len) if ends else longest
            elif name.startswith(ahead) and at + 1 + len(ahead) == len(text) and not self._ahead.final:
                raise UndecidedError
        return (at + 1 + len(longest), self._dialect.people[longest]) if longest else None


def _like_a_formula(text: str) -> bool:
    return len(text.split()) == 1 or _SURELY_A_FORMULA.search(text) is not None


def _encoded(address: str) -> str:
    return address.replace("(", "%28").replace(")", "%29")
