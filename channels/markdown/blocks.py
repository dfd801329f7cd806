"""The blocks of a text: paragraphs, lists, quotes, headings, code, formulas and tables, line by line as they come.

Code, formulas and tables are set at the beginning of their lines, out of the list or quote in which they stand:
platforms know them there only (docs: Lark's "富文本组件"; Slack's lists hold nothing but text).
"""

from __future__ import annotations

from collections.abc import Callable

from channels.markdown.code import CodeBlock
from channels.markdown.dialect import Dialect
from channels.markdown.inline import inline
from channels.markdown.lines import LONGEST_START, Line, item_of, line_of
from channels.markdown.output import Output
from channels.markdown.prose import Prose
from channels.markdown.syntax import Fence, cells, formula_of, is_table, may_delimit, opened_by
from channels.markdown.table import Table


class Blocks:
    """Takes lines in pieces."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._out = Output()
        self._line = ""  # that is under way, until it is clear what it is
        self._goes_to: Callable[[str], None] | None = None  # the pieces of the line under way
        self._collected: list[str] = []
        self._whole: Callable[[str], None] = self._heading
        self._prose = Prose(dialect, self._out)
        self._header: Line | None = None
        self._table: Table | None = None
        self._tables = 0
        self._code: CodeBlock | None = None

    @property
    def text(self) -> str:
        return self._out.text

    @property
    def tail(self) -> str:
        """What may follow for now, so that nothing is left open."""
        if self._code is not None:
            return f"{self._code.finish()}\n{self._code.marker}"
        if self._table is not None:
            row = "".join(self._collected)
            return (self._table.row(row, counts=False) if "|" in row else "") + self._table.closing
        return self._prose.preview

    def take(self, text: str) -> None:
        first, *others = text.split("\n")
        self._add(first)
        for part in others:
            self._end_line()
            self._add(part)

    def end(self) -> None:
        if self._line or self._goes_to is not None:
            self._end_line()
        self._leave()
        if self._code is not None:
            self._end_code()

    # Lines

    def _add(self, part: str) -> None:
        if not part:
            return
        if self._goes_to is not None:
            self._goes_to(part)
            return
        self._line += part
        if self._begin(self._line, complete=False):
            self._line = ""

    def _end_line(self) -> None:
        if self._goes_to is None:
            line, self._line = self._line, ""
            self._begin(line, complete=True)
        if self._collected:
            line = "".join(self._collected)
            self._collected.clear()
            self._whole(line)
        self._goes_to = None

    def _collect(self, line: str, whole: Callable[[str], None]) -> None:
        """Wait for the end of the line, then give all of it to ``whole``."""
        self._collected.append(line)
        self._whole, self._goes_to = whole, self._collected.append

    def _begin(self, line: str, *, complete: bool) -> bool:
        """Begin the line that this is, or is the beginning of; False if more of it has to be seen."""
        if self._code is not None:
            return self._begin_in_code(self._code, line, complete=complete)
        if (header := self._above()) is not None and may_delimit(delimiter := line.lstrip("> \t")):
            if not complete and len(line) < LONGEST_START:
                return False
            if len(line) < LONGEST_START and is_table(header, delimiter):
                self._begin_table(header, delimiter.strip())
                return True
        self._leave_header()
        found = line_of(
            line,
            complete=complete,
            paragraph=self._out.quote if self._prose.in_paragraph else None,
            in_list=self._prose.in_list,
        )
        if found is None:
            return False
        self._place(found)
        return True

    def _place(self, line: Line) -> None:  # noqa: C901, PLR0912 -- a case for each kind
        if line.kind == "blank":
            self._leave()
            self._out.blank_line(line.quote)
            return
        if self._table is not None:
            if line.kind == "row" or (line.kind == "text" and not self._table.piped):
                self._collect(line.body, self._row)
                return
            self._end_table()
        if line.quote != self._out.quote:
            self._leave_all()
            self._out.set_quote(line.quote)
        match line.kind:
            case "text":
                self._text(line)
            case "item":
                self._item(line)
            case "fence":
                self._collect(line.body, lambda body: self._fence(line, body))
            case "formula":
                self._collect(line.body, lambda body: self._formula(line, body))
            case "heading":
                self._collect(line.body, self._heading)
            case "row":
                self._collect(line.body, lambda body: self._pend_header(line, body))
            case "rule":
                self._rule()
            case "underline":
                self._leave()
                self._out.apart = True
                self._text(line)
            case "code":
                self._collect(line.body, lambda body: self._indented(line, body))

    def _leave(self) -> None:
        """End what a line that is something else ends."""
        self._leave_header()
        self._prose.leave()
        if self._table is not None:
            self._end_table()

    def _leave_all(self) -> None:
        self._leave()
        self._prose.leave_list()

    # Text

    def _text(self, line: Line) -> None:
        self._prose.text(line)
        self._goes_to = self._prose.say

    def _item(self, line: Line) -> None:
        item = item_of(line)
        if item.done is None and item.text.startswith(("```", "~~~")):
            self._collect(line.body, lambda body: self._item_of_code(line, body))
            return
        self._leave()
        self._prose.item(line, item)
        self._goes_to = self._prose.say

    def _item_of_code(self, line: Line, body: str) -> None:
        item = item_of(Line(line.kind, line.quote, line.indent, body))
        fence = opened_by(body)
        self._leave()
        if fence is None:
            self._prose.item(line, item)
            return
        if item.is_numbered:
            self._prose.mark(line, item)
        self._open_code(Fence(" " * line.indent + fence.indent, fence.marker, fence.info))

    def _heading(self, body: str) -> None:
        self._leave_all()
        text = body.lstrip("#")
        level = len(body) - len(text)
        text = text.strip()
        unmarked = text.rstrip("#")
        if not unmarked or unmarked[-1] in " \t":
            text = unmarked.rstrip()
        if text:
            self._out.start(self._dialect.heading(level, inline(text, self._dialect)))
        else:
            self._out.blank_line(0)

    def _rule(self) -> None:
        self._out.apart = self._prose.in_paragraph  # else it would make a heading of it
        self._leave_all()
        self._out.start("---")

    # Code and formulas: at the beginning of their lines, where every platform knows them

    def _fence(self, line: Line, body: str) -> None:
        fence = opened_by(body)
        if fence is None:
            self._text(Line("text", line.quote, line.indent, body))
            return
        self._open_code(Fence(" " * line.indent, fence.marker, fence.info))

    def _open_code(self, fence: Fence) -> CodeBlock:
        self._leave_all()
        self._code = CodeBlock(self._dialect, fence, self._out.quote)
        self._out.start(self._code.opening, quoted=False)
        return self._code

    def _begin_in_code(self, code: CodeBlock, line: str, *, complete: bool) -> bool:  # noqa: PLR0911 -- a case each
        text = code.unquoted(line)
        if text is None:
            if not complete and not line.strip("> "):
                return False
            self._end_code()
            return self._begin(line, complete=complete)
        if not complete and not text:  # a blank may still belong to the quote
            return False
        if code.is_formula:
            self._collect(text, lambda whole: self._in_formula(code, whole))
            return True
        if complete and code.ends(text):
            self._end_code()
            return True
        if not complete and code.may_end(text):
            return False

        def go_on(piece: str) -> None:
            self._out.add(code.feed(piece))

        self._out.add(code.line(text))
        self._goes_to = go_on
        return True

    def _end_code(self) -> None:
        assert self._code is not None  # that is when it is called
        self._out.add(f"{self._code.finish()}\n{self._code.marker}")
        self._code = None

    def _indented(self, line: Line, body: str) -> None:
        self._leave()
        self._out.start(" " * line.indent + self._dialect.code(body))

    def _formula(self, line: Line, body: str) -> None:
        formula = formula_of(body)
        if formula is None:
            self._text(Line("text", line.quote, line.indent, body))
            return
        fence, inside, is_all = formula
        code = self._open_code(fence)
        if inside:
            self._out.add(code.line(inside))
        if is_all:
            self._end_code()

    def _in_formula(self, code: CodeBlock, line: str) -> None:
        ends = code.ends(line)
        inside = line.rstrip()
        if ends and inside:
            inside = inside[:-2].rstrip()
        if inside:
            self._out.add(code.line(inside))
        if ends:
            self._end_code()
            if not line.strip():
                self._out.blank_line(0)

    # Tables

    def _pend_header(self, line: Line, body: str) -> None:
        """What the next line is decides whether this one is a table's header."""
        self._header = Line("text", line.quote, line.indent, body)

    def _leave_header(self) -> None:
        if self._header is not None:
            header, self._header = self._header, None
            self._text(header)
            self._goes_to = None

    def _above(self) -> str | None:
        """The line above, if it may be a table's header."""
        if self._header is not None:
            return self._header.body
        line = self._prose.last_line
        return line if line is not None and "|" in line else None

    def _begin_table(self, header: str, delimiter: str) -> None:
        drawn = self._tables < self._dialect.tables and len(cells(header)) <= self._dialect.columns
        self._tables += drawn
        piped = self._header is not None
        self._header = None
        if not piped and not drawn:  # its header is out already: without the line below it is no table
            self._leave()
            self._out.apart = True
            self._text(Line("text", self._out.quote, 0, f"\\{delimiter}"))
            return
        self._leave_all()
        self._table = table = Table(self._dialect, header, delimiter, piped=piped, drawn=drawn)
        if piped:
            self._out.apart = True
            self._out.start(table.opening, quoted=False)
        else:
            self._out.add(f"\n{delimiter}")

    def _row(self, body: str) -> None:
        assert self._table is not None  # that is why the line was collected
        if "|" in body:
            self._out.add(self._table.row(body))
            return
        self._end_table()
        self._text(Line("text", self._out.quote, 0, body))

    def _end_table(self) -> None:
        if self._table is not None:
            self._out.add(self._table.closing)
        self._table = None
        self._out.apart = True
