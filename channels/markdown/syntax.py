"""How lines of Markdown look: the patterns that cutting and rendering share."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENING = re.compile(r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})([^\n]*)")
"""A line that begins a code block, perhaps as a list's item: indentation, marker, what it says of itself."""

_FORMULA_ENDS = {"$$": "$$", "\\[": "\\]"}
_CLOSING = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*\n?")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_DELIMITER_CELL = re.compile(r"[ \t]*:?-+:?[ \t]*")
_DELIMITERS = re.compile(r"[ \t|:-]*")


@dataclass(frozen=True, slots=True)
class Fence:
    r"""An open block of code, or (``marker`` is ``$$`` or ``\[``) a formula.

    ``indent`` is blank, and as wide as what stands before the marker. ``info`` is what it says of itself.
    """

    indent: str
    marker: str
    info: str

    @property
    def is_formula(self) -> bool:
        return self.marker in _FORMULA_ENDS

    @property
    def end(self) -> str:
        return _FORMULA_ENDS.get(self.marker, self.marker)

    def ended_by(self, line: str) -> bool:
        if self.is_formula:  # TeX allows no blank line in a formula
            line = line.rstrip()
            return not line or line.endswith(self.end)
        closing = _CLOSING.fullmatch(line)
        return closing is not None and closing[1].startswith(self.marker)


def opened_by(line: str) -> Fence | None:
    """The block of code that a line begins."""
    opening = OPENING.match(line)
    if opening is None:
        return None
    indent = "".join(char if char == "\t" else " " for char in opening[1])
    return Fence(indent, opening[2], opening[3].strip())


def formula_of(line: str) -> tuple[Fence, str, bool] | None:
    """The formula that a line begins, what of it stands there, and whether that is all of it."""
    line = line.strip()
    if line[:2] not in _FORMULA_ENDS:
        return None
    fence = Fence("", line[:2], "")
    formula = line[2:].strip()
    inside = formula.removesuffix(fence.end).strip()
    is_all = formula.endswith(fence.end)
    if fence.end in inside or (is_all and not inside):
        return None  # several, or none: a matter of the text in the line
    return fence, inside, is_all


def is_table(header: str, delimiter: str) -> bool:
    """Whether these two lines begin a table."""
    if "|" not in header or "|" not in delimiter or "-" not in delimiter or OPENING.match(header):
        return False
    columns = cells(delimiter)
    return all(_DELIMITER_CELL.fullmatch(cell) for cell in columns) and len(columns) == len(cells(header))


def may_delimit(line: str) -> bool:
    """Whether a line, or its beginning, may be the one below a table's header."""
    return _DELIMITERS.fullmatch(line) is not None


def cells(row: str) -> list[str]:
    """The cells of a row, with the blanks around them."""
    found = _CELL_BORDER.split(row.strip())
    if found and not found[0].strip():
        found = found[1:]
    if found and not found[-1].strip():
        found = found[:-1]
    return found
