"""Paragraphs and lists.

``text`` and ``item`` begin a line, ``say`` goes on with it, ``leave`` ends the paragraph.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.markdown.dialect import Dialect
from channels.markdown.inline import Inline
from channels.markdown.lines import LONGEST_START, Item, Line
from channels.markdown.output import Output

INDENT = 4
"""Columns by which an item stands below another one (docs: "富文本组件"; CommonMark takes it too)."""

DEEPER = 2
"""Columns by which a line belongs to the item above. CommonMark wants the marker's width; models do not count."""


@dataclass(frozen=True, slots=True)
class _ListItem:
    """In which column its marker was, and where its text stands in the rendering."""

    marker: int
    content: int


class Prose:
    def __init__(self, dialect: Dialect, out: Output) -> None:
        self._dialect = dialect
        self._out = out
        self._items: list[_ListItem] = []
        self._paragraph: Inline | None = None
        self._last_line = ""

    @property
    def in_paragraph(self) -> bool:
        return self._paragraph is not None

    @property
    def in_list(self) -> bool:
        return bool(self._items)

    @property
    def last_line(self) -> str | None:
        """The paragraph's last line, as it came; None if it is a long one, or there is none."""
        return self._last_line if self.in_paragraph and len(self._last_line) < LONGEST_START else None

    @property
    def preview(self) -> str:
        """How what is held back may be shown for now."""
        return "" if self._paragraph is None else self._paragraph.preview()

    def text(self, line: Line) -> None:
        if self._paragraph is None:
            self._leave_items(line.indent)
            self._out.start(" " * self._items[-1].content if self._items else "")
            self._paragraph = Inline(self._dialect)
        else:
            belongs = self._items and line.indent >= self._items[-1].marker + DEEPER
            indent = " " * self._items[-1].content if belongs else ""
            self._out.add(self._paragraph.feed(f"\n{'> ' * self._out.quote}{indent}"))
        self._last_line = ""
        self.say(line.body)

    def item(self, line: Line, item: Item) -> None:
        self.mark(line, item)
        if item.done is not None:
            self._out.add(self._dialect.task(done=item.done))
        self._paragraph = Inline(self._dialect)
        self._last_line = ""
        self.say(item.text)

    def mark(self, line: Line, item: Item) -> None:
        """Begin an item with nothing but its marker."""
        self.leave()
        self._leave_items(line.indent)
        indent = self._items[-1].content if self._items else 0
        self._items.append(_ListItem(line.indent, indent + INDENT))
        self._out.start(" " * indent + (f"{item.marker[:-1]}. " if item.is_numbered else "- "))

    def say(self, text: str) -> None:
        assert self._paragraph is not None  # a line goes on only while it is open
        self._last_line += text[: LONGEST_START - len(self._last_line)]
        self._out.add(self._paragraph.feed(text))

    def leave(self) -> None:
        if self._paragraph is not None:
            self._out.add(self._paragraph.finish())
            self._paragraph = None

    def leave_list(self) -> None:
        self.leave()
        self._items.clear()

    def _leave_items(self, indent: int) -> None:
        """All to which a line with this indentation does not belong."""
        while self._items and indent < self._items[-1].marker + DEEPER:
            self._items.pop()
