"""Which marks of emphasis belong together, and how they are written.

As CommonMark has it ("An algorithm for parsing nested emphasis and links"), except that marks beside CJK characters
may always open and close, that a run of marks does not both close and open, and that no emphasis is longer than SPAN.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.markdown.ahead import SPAN
from channels.markdown.dialect import Dialect, Emphasis, is_cjk

LOOK_BACK = 16
"""Marks of one kind that a closing one is compared with, at most."""

_KINDS: dict[tuple[str, int], Emphasis] = {
    ("*", 1): "em",
    ("_", 1): "em",
    ("*", 2): "strong",
    ("_", 2): "strong",
    ("~", 2): "strike",
}


@dataclass(slots=True)
class Run:
    """A run of marks, and what stands on both sides.

    ``left`` of them mean nothing yet. ``opens`` and ``closes`` hold how many marks each emphasis took.
    """

    char: str
    at: int
    count: int
    before: str
    after: str
    can_open: bool
    can_close: bool
    left: int
    opens: list[int] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)

    def open_all(self) -> list[int]:
        """Let all that is left open something, for as many marks each as are returned."""
        widths = [2] * (self.left // 2) + [1] * (self.left % 2)
        self.opens += widths
        self.left = 0
        return widths

    @property
    def is_either(self) -> bool:
        return self.can_open and self.can_close


def run_of(char: str, at: int, count: int, before: str, after: str) -> Run:
    opens, closes = _may_open(before, after), _may_close(before, after)
    if char == "_":  # not within words, as in snake_case
        opens, closes = (
            opens and (not closes or _is_punctuation(before)),
            closes and (not opens or _is_punctuation(after)),
        )
    return Run(char, at, count, before, after, opens, closes, count)


class Emphases:
    """``pairs`` are those found: where each begins and ends."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        self._open: dict[str, list[Run]] = {"*": [], "_": [], "~": []}

    def add(self, run: Run) -> None:
        if run.can_close:
            self._close(run)
        if run.can_open and not run.closes:
            self._open[run.char].append(run)

    def open(self, end: int) -> list[Run]:
        """What may still be closed by a mark at ``end`` or later, in order."""
        waiting = (run for stack in self._open.values() for run in stack if end - run.at <= SPAN)
        return sorted(waiting, key=lambda run: run.at)

    def _close(self, run: Run) -> None:
        while run.left and (opener := self._opener(run)) is not None:
            width = min(2, run.left, opener.left)
            opener.opens.append(width)
            run.closes.append(width)
            opener.left -= width
            run.left -= width
            for stack in self._open.values():
                while stack and (stack[-1].at > opener.at or not stack[-1].left):
                    stack.pop()
            self.pairs.append((opener.at, run.at + run.count))

    def _opener(self, run: Run) -> Run | None:
        for opener in reversed(self._open[run.char][-LOOK_BACK:]):
            if run.at - opener.at > SPAN:
                return None
            total = opener.count + run.count
            if (opener.is_either or run.is_either) and total % 3 == 0 and (opener.count % 3 or run.count % 3):
                continue
            return opener
        return None


class Writer:
    """Writes runs one after the other.

    An emphasis within the same emphasis says nothing, and two marks side by side would be another one: only the
    outer one is written.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._depths: dict[Emphasis, int] = {"em": 0, "strong": 0, "strike": 0}

    def write(self, run: Run) -> Iterator[str]:
        for width in run.closes:
            yield self._closed(run, width)
        if run.closes:
            yield self._dialect.gap(run.after.strip(), sound=_closes(run.before, run.after))
        yield run.char * run.left
        if run.opens:
            yield self._dialect.gap(run.before.strip(), sound=_opens(run.before, run.after))
        for width in reversed(run.opens):
            kind = _KINDS[run.char, width]
            self._depths[kind] += 1
            yield self._dialect.marks[kind] if self._depths[kind] == 1 else ""

    def close(self, opened: list[tuple[Run, int]]) -> Iterator[str]:
        """End what these runs opened, with so many marks each."""
        for run, width in reversed(opened):
            yield self._closed(run, width)

    def _closed(self, run: Run, width: int) -> str:
        kind = _KINDS[run.char, width]
        self._depths[kind] -= 1
        return "" if self._depths[kind] else self._dialect.marks[kind]


def _is_punctuation(char: str) -> bool:
    return char != "" and unicodedata.category(char)[0] in "PS"


def _opens(before: str, after: str) -> bool:
    """CommonMark's left-flanking."""
    return bool(after.strip()) and (
        not _is_punctuation(after) or not before.strip() or _is_punctuation(before)
    )


def _closes(before: str, after: str) -> bool:
    """CommonMark's right-flanking."""
    return _opens(after, before)


def _may_open(before: str, after: str) -> bool:
    return _opens(before, after) or (bool(after.strip()) and (is_cjk(before) or is_cjk(after)))


def _may_close(before: str, after: str) -> bool:
    return _may_open(after, before)
