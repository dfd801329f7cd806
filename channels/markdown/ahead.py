"""A paragraph's text as far as it has come, and questions about what is ahead in it.

Every question is answered by the text alone, however much of it is there: it has a limit up to which it looks, and
raises UndecidedError where the text ends before that.
"""

from __future__ import annotations

import re

SPAN = 1000
"""Characters from a mark to the one that ends it, at most."""

_BACKTICKS = re.compile("`+")


class UndecidedError(Exception):
    """What comes next decides."""


class Ahead:
    """``text`` begins with the character before what is asked about. ``final``: nothing comes after it."""

    def __init__(self, text: str, *, final: bool) -> None:
        self.text = text
        self.final = final

    def char(self, at: int) -> str:
        """The character here, empty behind the last one of all."""
        if at < len(self.text):
            return self.text[at]
        if not self.final:
            raise UndecidedError
        return ""

    def run(self, at: int) -> int:
        """Where a run of the character that is here ends, after SPAN of them at the latest."""
        end, limit = at, min(len(self.text), at + SPAN)
        while end < limit and self.text[end] == self.text[at]:
            end += 1
        if end < at + SPAN:
            self.char(end)
        return end

    def find(self, what: str, start: int, span: int) -> int | None:
        found = self.text.find(what, start, start + span)
        if found >= 0:
            return found
        if not self.final and len(self.text) < start + span:
            raise UndecidedError
        return None

    def first_of(self, characters: re.Pattern[str], start: int, end: int) -> re.Match[str] | None:
        """The first of single characters that the pattern has, up to ``end``."""
        found = characters.search(self.text, start, end)
        if found is None and not self.final and len(self.text) < end:
            raise UndecidedError
        return found

    def backticks(self, count: int, start: int, limit: int) -> int | None:
        """Where a run of exactly so many backticks begins."""
        while True:
            found = _BACKTICKS.search(self.text, start)
            if found is None or found.start() > limit:
                if found is None and not self.final and len(self.text) <= limit:
                    raise UndecidedError
                return None
            if len(found[0]) <= count:
                self.char(found.end())  # the run may grow
            if len(found[0]) == count:
                return found.start()
            start = found.end()
