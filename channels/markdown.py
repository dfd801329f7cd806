"""Cutting Markdown into messages, and keeping what a platform cannot draw out of it.

Invariants of ``cut``:

- the head depends only on as much of the text as one message can hold and one character more, so it stays the
  same when more text follows;
- between head and rest nothing is lost: what is added is the end of an open code fence and its new beginning,
  and what is taken away is the indentation that a code block in a list shares with that list;
- both halves hold at least one character of the text, and head is never over the limit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

SMALLEST_LIMIT = 16
"""Bytes: less cannot hold a fence, its end and a character of any script."""

_OPENING = re.compile(r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})([^\n]*)")
_CLOSING = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*\n?")
_FENCE_AHEAD = re.compile(r"[ \t]{0,64}(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,64})?(?:```|~~~|`{1,2}\Z|~{1,2}\Z)")
_SENTENCE_END = re.compile(r"[.!?…]['\"”’)\]*_]*\s+|[。！？；…]+['\"”’』」）]*\s*")
_WORD_END = re.compile(r"\s+|[，、：]\s*")
_LENIENT = ("utf-8", "surrogatepass")
_CONTINUES_CHARACTER = 0b10  # the first bits of such a byte in UTF-8
_JOINING = frozenset(("Mn", "Mc", "Me"))
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_DELIMITER_CELL = re.compile(r"[ \t]*:?-+:?[ \t]*")


@dataclass(frozen=True, slots=True)
class _Fence:
    indent: str
    marker: str
    info: str

    def ended_by(self, line: str) -> bool:
        closing = _CLOSING.fullmatch(line)
        return closing is not None and closing[1].startswith(self.marker)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of what one message can hold; ``fence`` is what is open where it starts, at byte ``offset``."""

    start: int
    offset: int
    text: str
    fence: _Fence | None
    is_marker: bool

    @property
    def opens(self) -> bool:
        return self.is_marker and self.fence is None


def cut(text: str, limit: int) -> tuple[str, str] | None:
    """Split text that is longer than ``limit`` bytes of UTF-8: (one message, the rest). None if it fits.

    Cuts after a paragraph if one ends in the second half of the message, else after a line, a sentence, a word
    or a character. A code fence that is open there is closed, and opened again in the rest.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a limit of {limit} bytes cannot be kept, it takes {SMALLEST_LIMIT}")
    if len(text) * 4 <= limit:
        return None
    fitting = _characters_within(text[: limit + 1], limit)
    if fitting == len(text):
        return None
    window = _Window(text[: fitting + 1], limit)
    position, fence = window.best_cut()
    head, rest = text[:position], text[position:]
    if fence is None:
        return head, rest
    whole_line = head.endswith("\n")
    closing = f"{fence.indent}{fence.marker}" if whole_line else f"\n{fence.indent}{fence.marker}"
    opening = f"{fence.marker}{fence.info}\n"
    return head + closing, opening + _dedented(rest, fence, from_line_start=whole_line)


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

    def best_cut(self) -> tuple[int, _Fence | None]:
        for floor in (max(self._first, len(self._known) // 2), self._first):
            found = self._after_line(floor) or self._within_line(floor)
            if found is not None:
                return found
        for line in reversed(self._lines):
            end = self._end_within(line)
            if end > max(line.start, len(self._lines[0].text) if self._lines[0].opens else 0):
                return end, line.fence
        return len(self._known) - 1, None

    def _after_line(self, floor: int) -> tuple[int, _Fence | None] | None:
        best: tuple[int, int] = (0, 0)
        chosen: _Line | None = None
        for before, line in zip(self._lines, self._lines[1:], strict=False):
            if not floor <= line.start <= self._last or before.opens:
                continue
            if line.fence is not None and (
                line.offset + len(line.fence.indent + line.fence.marker) > self._limit
                or _FENCE_AHEAD.match(self._known, line.start)
            ):
                continue
            rank = 0 if line.fence is not None else 1 if before.text.strip() else 2
            if (rank, line.start) > best:
                best, chosen = (rank, line.start), line
        return None if chosen is None else (chosen.start, chosen.fence)

    def _within_line(self, floor: int) -> tuple[int, _Fence | None] | None:
        for line in reversed(self._lines):
            low, high = max(floor, line.start + 1), min(self._end_within(line), self._last)
            if low > high or line.is_marker or not self._may_start_rest(line.start):
                continue
            for boundary in (_SENTENCE_END, _WORD_END):
                ends = [match.end() for match in boundary.finditer(self._known, line.start, high)]
                for end in reversed(ends):
                    if low <= end and self._may_start_rest(end):
                        return end, line.fence
            for end in range(high, low - 1, -1):
                if self._may_start_rest(end) and not _joined(self._known, end):
                    return end, line.fence
        return None

    def _end_within(self, line: _Line) -> int:
        """Where the head would end if it was cut in this line as late as possible."""
        closing = 0 if line.fence is None else len("\n" + line.fence.indent + line.fence.marker)
        room = self._limit - line.offset - closing
        return line.start + _characters_within(line.text.rstrip("\n"), room) if room > 0 else line.start

    def _may_start_rest(self, position: int) -> bool:
        return _FENCE_AHEAD.match(self._known, position) is None


def _lines(known: str, limit: int) -> Iterator[_Line]:
    fence: _Fence | None = None
    start = offset = 0
    for text in re.findall(r"[^\n]*\n|[^\n]+\Z", known):
        before = fence
        if before is None:
            opened = _opened_by(text)
            fence = opened and _affordable(opened, limit)
        elif before.ended_by(text):
            fence = None
        yield _Line(start, offset, text, before, fence is not before)
        start += len(text)
        offset += len(text.encode(*_LENIENT))


def _opened_by(line: str) -> _Fence | None:
    opening = _OPENING.match(line)
    if opening is None:
        return None
    indent = "".join(char if char == "\t" else " " for char in opening[1])
    return _Fence(indent, opening[2], opening[3].strip())


def _affordable(fence: _Fence, limit: int) -> _Fence | None:
    """The fence as it can be closed and opened again in messages of this size, if it can."""
    if len(f"{fence.indent}{fence.marker}\n") > limit // 4:
        return None
    if len(f"{fence.marker}{fence.info}\n".encode(*_LENIENT)) > limit // 4:
        return _Fence(fence.indent, fence.marker, "")
    return fence


def _dedented(rest: str, fence: _Fence, *, from_line_start: bool) -> str:
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


def _characters_within(text: str, limit: int) -> int:
    """How many characters of the text's beginning are no more than ``limit`` bytes."""
    raw = text.encode(*_LENIENT)
    if len(raw) <= limit:
        return len(text)
    end = limit
    while raw[end] >> 6 == _CONTINUES_CHARACTER:
        end -= 1
    return len(raw[:end].decode(*_LENIENT))


def _joined(text: str, position: int) -> bool:
    """Whether the characters before and after belong together for the eye."""
    before, after = text[position - 1], text[position]
    return (
        after in "\u200d\u20e3"
        or before == "\u200d"
        or unicodedata.category(after) in _JOINING
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags of regional flags
        or (before == "\r" and after == "\n")
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
        or (
            _is_flag_letter(before)
            and _is_flag_letter(after)
            and _flag_letters_before(text, position) % 2 == 1
        )
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, position: int) -> int:
    start = position
    while start and _is_flag_letter(text[start - 1]):
        start -= 1
    return position - start


def fence_tables(text: str, keep: int) -> str:
    """Turn the tables after the first ``keep`` into code blocks, which show their text as it stands."""
    if "|" not in text:
        return text
    out: list[str] = []
    fence: _Fence | None = None
    lines = text.split("\n")
    number = tables = 0
    while number < len(lines):
        line = lines[number]
        if fence is None and number + 1 < len(lines) and _is_table(line, lines[number + 1]):
            end = number + 2
            while end < len(lines) and "|" in lines[end] and not _OPENING.match(lines[end]):
                end += 1
            tables += 1
            indent = line[: len(line) - len(line.lstrip())]
            rows = lines[number:end]
            out += rows if tables <= keep else [f"{indent}```", *rows, f"{indent}```"]
            number = end
            continue
        if fence is None:
            fence = _opened_by(line)
        elif fence.ended_by(line):
            fence = None
        out.append(line)
        number += 1
    return "\n".join(out)


def _is_table(header: str, delimiter: str) -> bool:
    if "|" not in header or "|" not in delimiter or "-" not in delimiter or _OPENING.match(header):
        return False
    cells = _cells(delimiter)
    return all(_DELIMITER_CELL.fullmatch(cell) for cell in cells) and len(cells) == len(_cells(header))


def _cells(row: str) -> list[str]:
    row = row.strip()
    cells = _CELL_BORDER.split(row)
    if cells and not cells[0].strip():
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells
