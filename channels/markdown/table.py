"""A table that grows by rows: as one, or as code where the platform would not draw it."""

from __future__ import annotations

import re

from channels.markdown.dialect import PLAIN, Dialect
from channels.markdown.inline import inline
from channels.markdown.syntax import cells, may_delimit

SHORT_HEADER = 200
"""Characters of a header that is repeated where a table is divided."""


class Table:
    """``piped``: its rows begin with a ``|``. ``drawn``: as a table.

    ``opening`` begins it, ``row`` returns what it goes on with, ``closing`` ends it.
    """

    def __init__(self, dialect: Dialect, header: str, delimiter: str, *, piped: bool, drawn: bool) -> None:
        self._dialect = dialect
        self.piped = piped
        self._drawn = drawn
        self._columns = len(cells(header))
        self._rows = 0
        if drawn:
            self.opening = f"{self._drawn_row(header)}\n{delimiter}"
        else:
            self.opening = f"```\n{self._as_code(header)}\n{delimiter}"

    @property
    def closing(self) -> str:
        return "" if self._drawn else "\n```"

    def row(self, row: str, *, counts: bool = True) -> str:
        """``counts``: the row is complete."""
        if not self._drawn:
            return f"\n{self._as_code(row)}"
        if not counts:
            return f"\n{self._drawn_row(row)}"
        divided = ""
        if self._rows == self._dialect.rows:
            self._rows = 0
            self._drawn = len(self.opening) <= SHORT_HEADER
            divided = f"\n\n{self.opening if self._drawn else '```'}"
        self._rows += 1
        return divided + (f"\n{self._drawn_row(row)}" if self._drawn else self.row(row))

    def _drawn_row(self, row: str) -> str:
        """Cells that are too many go into the last one: they would not be seen."""
        found = cells(row)
        if len(found) > self._columns:
            found[self._columns - 1 :] = [r"\|".join(found[self._columns - 1 :])]
        if found and may_delimit(row):  # a further line of dashes would begin a further table
            found[0] = re.sub(r"(?=\S)", r"\\", found[0], count=1)
        drawn = "|".join(inline(cell, self._dialect, in_table=True) for cell in found)
        return f"|{drawn}|" if self.piped else drawn

    def _as_code(self, row: str) -> str:
        drawn = "|".join(inline(cell, PLAIN, in_table=True) for cell in cells(row))
        return self._dialect.code(f"|{drawn}|" if self.piped else drawn)
