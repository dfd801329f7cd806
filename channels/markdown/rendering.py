"""A text that grows, as a platform draws it.

Invariants:

- ``settled`` only ever gets longer, and what ``finish`` returns begins with it, whatever follows: what it depends on
  has been seen;
- it depends on the text alone, not on the pieces in which it came;
- a piece costs no more than its length and what is held back: of a line its beginning, or the whole line where that
  is a heading, a row of a table or the like, and of a paragraph what ``inline`` holds back.
"""

from __future__ import annotations

import re

from channels.markdown.blocks import Blocks
from channels.markdown.dialect import Dialect

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def render(text: str, dialect: Dialect) -> str:
    """All of a text at once. Does not end with a line end, and may be empty."""
    return Rendering(dialect).finish(text)


def bare(text: str) -> str:
    """Without what no platform takes: control characters and lone surrogates."""
    return _CONTROL.sub("", text)


class Rendering:
    """``grow`` and ``finish`` take the whole text so far. A text that does not go on the last one is begun anew."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._source = ""
        self._finished: str | None = None
        self._blocks = Blocks(dialect)

    def grow(self, text: str) -> None:
        if self._finished is not None or not text.startswith(self._source):
            self._blocks, self._source, self._finished = Blocks(self._dialect), "", None
        self._blocks.take(bare(text[len(self._source) :]))
        self._source = text

    @property
    def settled(self) -> str:
        """What is certain, for a message that can only be appended to."""
        return self._blocks.text

    @property
    def shown(self) -> str:
        """What can be shown for now, complete in itself, in a message that will be replaced."""
        return self._blocks.text + self._blocks.tail

    def finish(self, text: str) -> str:
        if self._finished is None or text != self._source:
            self.grow(text)
            self._blocks.end()
            self._finished = self._blocks.text
        return self._finished
