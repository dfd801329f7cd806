"""Cutting Markdown into messages.

Invariants of ``cut``:

- the head depends only on as much of the text as one message can hold and one character more, so it stays the
  same when more text follows;
- between head and rest nothing is lost: what is added is the end of an open block of code or formula and its new
  beginning, a table's header, the mark of a quote, and what is taken away is the indentation that a block of code
  in a list shares with that list;
- both halves hold at least one character of the text, and head is never over the limit;
- what of a growing text was shown as ``steady`` tells stays in the head, unless a construct in it is so long that no
  valid place is left behind it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from channels.markdown.characters import are_joined, characters_within, size
from channels.markdown.inline import unbreakable
from channels.markdown.syntax import Fence, formula_of, is_table, opened_by

SMALLEST_LIMIT = 16
"""Bytes: less cannot hold a fence, its end and a character of any script."""

_RESERVE = 16
"""The last one of so many parts of a message is shown by lines, and the paragraph in which it begins by sentences, as
what stands there may have to go into the next message.
"""

_FENCE_AHEAD = re.compile(r"[ \t]{0,64}(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,64})?(?:```|~~~|`{1,2}\Z|~{1,2}\Z)")
_BLOCK_AHEAD = re.compile(r"[ \t]{0,64}(?:[-+#>|=]|\*[ \t]|\$\$|\\\[|\d{1,9}[.)]|\d{1,9}\Z)")
_QUOTE = re.compile(r"(?: {0,3}> ?)+")
_SENTENCE_END = re.compile(r"[.!?…]['\"”’)\]*_]*\s+|[。！？；…]+['\"”’』」）]*\s*")
_WORD_END = re.compile(r"\s+|[，、：]\s*")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of what one message can hold; ``fence`` is what is open where it starts, at byte ``offset``.

    ``header`` is that of the table in which it is a row; ``is_bound``: to the line above it.
    """

    start: int
    offset: int
    text: str
    fence: Fence | None
    is_marker: bool
    header: str
    is_bound: bool

    @property
    def opens(self) -> bool:
        return self.is_marker and self.fence is None


def cut(
    text: str, limit: int, fits: Callable[[str], bool] | None = None, *, shown: int = 0
) -> tuple[str, str] | None:
    """Split text that is longer than ``limit`` bytes of UTF-8: (one message, the rest). None if it fits.

    Cuts after a paragraph if one ends in the second half of the message, else after a line, a sentence, a word
    or a character, and not within a link, code, an emphasis or a formula of a line, if that can be avoided. A code
    fence or formula that is open there is closed, and opened again in the rest; a table's header is repeated.

    ``fits`` tells of a text within the limit whether it still is when it is rendered; what begins a text that fits
    does so too. So many characters as ``shown`` are on screen already and stay there, if that can be: see ``steady``.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a limit of {limit} bytes cannot be kept, it takes {SMALLEST_LIMIT}")
    fitting = len(text) if len(text) * 4 <= limit else characters_within(text[: limit + 1], limit)
    if fits is not None and (shorter := _fitting(text[:fitting], fits)) < fitting:
        fitting, limit = shorter, max(size(text[:shorter]), SMALLEST_LIMIT)
    if fitting == len(text):
        return None
    window = _Window(text[: fitting + 1], limit)
    position, line = window.best_cut(shown)
    head, rest = text[:position], text[position:]
    whole_line = head.endswith("\n")
    if line is None or line.fence is None:
        return head, _continued(line, whole_line=whole_line) + rest
    fence = line.fence
    closing = f"{fence.indent}{fence.end}" if whole_line else f"\n{fence.indent}{fence.end}"
    opening = f"{fence.marker}{fence.info}\n"
    return head + closing, opening + _dedented(rest, fence, from_line_start=whole_line)


def steady(text: str, limit: int, fits: Callable[[str], bool] | None = None, *, shown: int = 0) -> int:
    """How many characters of a text that fits, and grows, may be shown: wherever it is cut later, they stay. All of
    it, but near the limit as far as the best place for a cut behind what is ``shown``.
    """
    more = text[len(text) - len(text) // (_RESERVE - 1) :]
    if size(text) * _RESERVE <= limit * (_RESERVE - 1) and (fits is None or fits(text + more)):
        return len(text)
    if shown and "\n" not in text[shown:] and not _SENTENCE_END.search(text, shown):
        return shown
    window = _Window(text, limit)
    found = window.after_line(max(shown, len(text) // 2)) or window.after_line(shown)
    return window.after_sentence(shown) if found is None else found[0]


def _continued(line: _Line | None, *, whole_line: bool) -> str:
    """What the rest has to begin with."""
    if line is None:
        return ""
    if whole_line:
        return line.header
    quote = _QUOTE.match(line.text)
    return "" if quote is None else quote[0]


class _Window:
    """What one message can hold, and the character after it."""

    def __init__(self, known: str, limit: int) -> None:
        self._known = known
        self._limit = limit
        self._lines = list(_lines(known, limit))
        self._last = len(known.rstrip()) - 1  # the rest must have something to show
        first = self._lines[0]
        inside = len(first.text) if first.opens else 0
        self._first = inside + len(known[inside:]) - len(known[inside:].lstrip()) + 1

    def best_cut(self, shown: int) -> tuple[int, _Line | None]:
        """Where, and in or before which line: behind what is shown, else in its last line, the end of which may not
        be drawn yet.
        """
        last_shown = max((line.start for line in self._lines if line.start < shown), default=0)
        wanted = {max(self._first, floor) for floor in (len(self._known) // 2, shown, last_shown, 0)}
        floors = sorted(wanted, reverse=True)
        for floor in floors:
            found = self.after_line(floor) or self._within_line(floor, whole=True)
            if found is not None:
                return found
        for floor in floors:
            found = self._within_line(floor, whole=False)
            if found is not None:
                return found
        for line in reversed(self._lines):
            end = self._end_within(line)
            if end > max(line.start, len(self._lines[0].text) if self._lines[0].opens else 0):
                return end, line
        return len(self._known) - 1, None

    def after_line(self, floor: int) -> tuple[int, _Line] | None:
        """The best place between two lines, not before ``floor``."""
        best: tuple[int, int] = (0, 0)
        chosen: _Line | None = None
        for before, line in zip(self._lines, self._lines[1:], strict=False):
            if not floor <= line.start <= self._last or before.opens or line.is_bound:
                continue
            if line.fence is not None and (
                line.offset + len(line.fence.indent + line.fence.end) > self._limit
                or _FENCE_AHEAD.match(self._known, line.start)
            ):
                continue
            rank = (_rank(before, line), line.start)
            if rank > best:
                best, chosen = rank, line
        return None if chosen is None else (chosen.start, chosen)

    def after_sentence(self, floor: int) -> int:
        """The end of the last sentence behind ``floor`` in the line that this is within, or ``floor``."""
        for line in reversed(self._lines):
            if line.start < max(floor, 1):
                is_prose = not (line.fence or line.is_marker or line.header or line.is_bound)
                high = min(self._end_within(line), self._last)
                held = _Ranges(line, line.text[: high + 1 - line.start])
                return (self._end_of(_SENTENCE_END, line, floor, high, held) if is_prose else None) or floor
        return floor

    def _within_line(self, floor: int, *, whole: bool) -> tuple[int, _Line] | None:
        """``whole``: what belongs together within the line stays whole, and so does a table's row."""
        for line in reversed(self._lines):
            low, high = max(floor, line.start + 1), min(self._end_within(line), self._last)
            if low > high or line.is_marker or not self._may_start_rest(line.start):
                continue
            if whole and (line.header or line.is_bound):
                continue
            held = _Ranges(line, line.text[: high + 1 - line.start]) if whole and line.fence is None else None
            for boundary in (_SENTENCE_END, _WORD_END):
                if (end := self._end_of(boundary, line, low, high, held)) is not None:
                    return end, line
            for end in range(high, low - 1, -1):
                if (
                    self._may_start_rest(end, line.fence)
                    and not are_joined(self._known, end)
                    and not (held and end in held)
                ):
                    return end, line
        return None

    def _end_of(
        self, boundary: re.Pattern[str], line: _Line, low: int, high: int, held: _Ranges | None
    ) -> int | None:
        ends = [match.end() for match in boundary.finditer(self._known, line.start, high)]
        for end in reversed(ends):
            if low <= end and self._may_start_rest(end, line.fence) and not (held and end in held):
                return end
        return None

    def _end_within(self, line: _Line) -> int:
        """Where the head would end if it was cut in this line as late as possible."""
        closing = 0 if line.fence is None else len("\n" + line.fence.indent + line.fence.end)
        room = self._limit - line.offset - closing
        return line.start + characters_within(line.text.rstrip("\n"), room) if room > 0 else line.start

    def _may_start_rest(self, position: int, fence: Fence | None = None) -> bool:
        """Whether what stands here would not become something else at the beginning of a line."""
        if _FENCE_AHEAD.match(self._known, position):
            return False
        return fence is not None or not _BLOCK_AHEAD.match(self._known, position)


class _Ranges:
    """What belongs together in a line."""

    def __init__(self, line: _Line, known: str) -> None:
        merged: list[tuple[int, int]] = []
        for start, end in unbreakable(known):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._starts = [line.start + start for start, _ in merged]
        self._ends = [line.start + end for _, end in merged]

    def __contains__(self, position: int) -> bool:
        """Whether a cut here would be within one."""
        number = bisect_right(self._starts, position - 1) - 1
        return number >= 0 and self._starts[number] < position < self._ends[number]


def _rank(before: _Line, line: _Line) -> int:
    """The higher, the better is a cut between two lines."""
    if line.fence is not None or line.header:
        return 0
    return 2 if not before.text.strip() and not line.text.startswith(("  ", "\t")) else 1


def _lines(known: str, limit: int) -> Iterator[_Line]:
    fence: Fence | None = None
    header = ""
    bound = 0  # lines that belong to the one above them
    start = offset = 0
    texts: list[str] = re.findall(r"[^\n]*\n|[^\n]+\Z", known)
    for number, text in enumerate(texts):
        before = fence
        if before is None:
            fence = _affordable(opened_by(text) or _formula_opened_by(text), limit)
            following = texts[number + 1] if number + 1 < len(texts) else ""
            if fence is None and is_table(text, following.rstrip("\n")) and following.endswith("\n"):
                header = text + following if size(text + following) <= limit // 4 else ""
                bound = 3
            elif "|" not in text or fence is not None:
                header = ""
        elif before.ended_by(text):
            fence = None
        yield _Line(
            start,
            offset,
            text,
            before,
            fence is not before,
            "" if bound else header,
            bound in {1, 2},
        )
        bound = max(0, bound - 1)
        start += len(text)
        offset += size(text)


def _formula_opened_by(line: str) -> Fence | None:
    formula = formula_of(line)
    return None if formula is None or formula[2] else formula[0]


def _affordable(fence: Fence | None, limit: int) -> Fence | None:
    """The fence as it can be closed and opened again in messages of this size, if it can."""
    if fence is None or len(f"{fence.indent}{fence.marker}\n") > limit // 4:
        return None
    if size(f"{fence.marker}{fence.info}\n") > limit // 4:
        return Fence(fence.indent, fence.marker, "")
    return fence


def _dedented(rest: str, fence: Fence, *, from_line_start: bool) -> str:
    """The rest without the fence's indentation up to its end: its list is not there any more."""
    width = len(fence.indent)
    if not width:
        return rest
    lead = "\n" if from_line_start else ""
    source = lead + rest
    closing = re.search(rf"\n[ \t]*{fence.marker[0]}{{{len(fence.marker)},}}[ \t]*(?=\n|\Z)", source)
    end = len(source) if closing is None else closing.end()
    inside = re.sub(rf"(?<=\n)[ \t]{{1,{width}}}", "", source[:end])
    return inside[len(lead) :] + source[end:]


def _fitting(text: str, fits: Callable[[str], bool]) -> int:
    """How many characters of the text's beginning fit."""
    if fits(text):
        return len(text)
    shorter, longer = 1, len(text)
    while longer - shorter > 1:
        middle = (shorter + longer) // 2
        if fits(text[:middle]):
            shorter = middle
        else:
            longer = middle
    return shorter
