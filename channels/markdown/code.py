"""A block of code, or a formula, that grows.

Invariant: no tag that would notify people gets out, nor the beginning of one that still may become it.
"""

from __future__ import annotations

import re

from channels.markdown.dialect import BREAK, Dialect
from channels.markdown.lines import LONGEST_START
from channels.markdown.syntax import Fence

_LONGEST_TAIL = 32
_LANGUAGE = re.compile(r"[{.]*([\w+#.-]*)")


class CodeBlock:
    """``opening`` begins it, ``feed`` and ``finish`` return what it goes on with, ``marker`` ends it."""

    def __init__(self, dialect: Dialect, fence: Fence, quote: int) -> None:
        self._dialect = dialect
        self._fence = fence
        self._tail = ""
        self.marker = "`" * max(3, len(fence.marker))  # platforms document backticks only
        self.quote = quote
        self._quoted = re.compile(rf"(?: {{0,3}}> ?){{{quote}}}")

    @property
    def is_formula(self) -> bool:
        return self._fence.is_formula

    @property
    def opening(self) -> str:
        name = "latex" if self._fence.is_formula else _language_of(self._fence.info)
        return self.marker + (self._dialect.language(name) if name else "")

    def unquoted(self, line: str) -> str | None:
        """The line as it stands in the quotes around the code; None if it does not stand there."""
        found = self._quoted.match(line)
        return None if found is None else line[found.end() :]

    def ends(self, line: str) -> bool:
        """Whether this is the end, or (of a formula) has it."""
        return len(line) < LONGEST_START and self._fence.ended_by(line)

    def may_end(self, line: str) -> bool:
        """Whether a line that begins so may become the end."""
        line = line.strip(" \t")
        return len(line) < LONGEST_START and not (line and line.strip(line[0] if line[0] in "`~" else ""))

    def line(self, text: str) -> str:
        """Begin a line of code."""
        indent = self._fence.indent
        shared = next((i for i, char in enumerate(text[: len(indent)]) if char not in " \t"), len(indent))
        text = text[shared:]
        if text.lstrip(" \t").startswith(self.marker) and not self._fence.marker.startswith("`"):
            text = f"{BREAK}{text}"
        return self.feed(f"\n{text}")

    def feed(self, text: str) -> str:
        text = self._tail + text
        tail = self._dialect.code_tail.search(text, max(0, len(text) - _LONGEST_TAIL))
        end = len(text) if tail is None else tail.start()
        self._tail = text[end:]
        # What is held back decides about what stands before it, as in `<at<`.
        return self._dialect.code(text).removesuffix(self._dialect.code(self._tail))

    def finish(self) -> str:
        return self._dialect.code(self._tail)


def _language_of(info: str) -> str:
    """The name alone: a mark or a tag beside it would be one to the platform too."""
    name = _LANGUAGE.match(info)
    return "" if name is None else name[1]
