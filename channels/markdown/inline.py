"""The text of one paragraph, heading or cell, rewritten for a dialect as it grows.

Invariants:

- what is given out depends on the text alone, not on the pieces in which it came, and is never taken back;
- what may still become something else (a mark of emphasis, a link, code) is held back until that is known, for at
  most SPAN characters: then it is text;
- so a piece costs no more than its length and SPAN, however long the paragraph is.
"""

from __future__ import annotations

from channels.markdown.ahead import SPAN, Ahead, UndecidedError
from channels.markdown.dialect import BREAK, Dialect
from channels.markdown.emphasis import Emphases, Run, Writer, run_of
from channels.markdown.spans import LONGEST_TAIL, SPECIAL, SPECIAL_TAIL, Spans

_HIDDEN_UNFINISHED = "\\`![<"
"""What begins with these is not shown before it is complete."""

_STRIKE = 2


class Inline:
    """One paragraph."""

    def __init__(self, dialect: Dialect, *, in_table: bool = False, in_link: bool = False) -> None:
        self._dialect = dialect
        self._in_table = in_table
        self._in_link = in_link
        self._text = "\n"  # the character before what is undecided, and that

    def feed(self, text: str) -> str:
        """What became certain."""
        self._text += text
        return self._advance(final=False)

    def finish(self) -> str:
        """The remainder."""
        return self._advance(final=True)

    def preview(self) -> str:
        """How the remainder may be shown for now: emphasis is closed, and what is not complete is left out."""
        return self._scan(final=False).preview()

    def _advance(self, *, final: bool) -> str:
        rendered, end = self._scan(final=final).settled()
        self._text = self._text[end - 1 :]
        return rendered

    def _scan(self, *, final: bool) -> _Scan:
        return _Scan(self._text, self._dialect, final=final, in_table=self._in_table, in_link=self._in_link)


def inline(text: str, dialect: Dialect, *, in_table: bool = False, in_link: bool = False) -> str:
    """All of a text at once."""
    paragraph = Inline(dialect, in_table=in_table, in_link=in_link)
    return paragraph.feed(text) + paragraph.finish()


def unbreakable(text: str) -> list[tuple[int, int]]:
    """Where a text may not be cut: from the first character of a link, code, an emphasis … to behind its last one.

    What is not complete goes to the end of the text.
    """
    found = _Scan("\n" + text, Dialect(), final=False, in_table=False, in_link=False).ranges()
    return [(start - 1, end - 1) for start, end in found]


class _Scan:
    """One look at the text, which begins at 1; at 0 is the character before it."""

    def __init__(self, text: str, dialect: Dialect, *, final: bool, in_table: bool, in_link: bool) -> None:
        self._text = text
        self._dialect = dialect
        self._ahead = Ahead(text, final=final)

        def inside(brackets: str) -> str:
            return inline(brackets, dialect, in_table=in_table, in_link=True)

        self._spans = Spans(self._ahead, dialect, inside, in_table=in_table, in_link=in_link)
        self._emphases = Emphases()
        self._pieces: list[tuple[int, str | Run]] = []

    def settled(self) -> tuple[str, int]:
        """What is certain of the text, and where that ends."""
        end = self._read(1)
        held = [] if self._ahead.final else self._emphases.open(end)
        if not held:
            return "".join(self._written(end)), end
        return "".join(self._written(held[0].at)), held[0].at

    def preview(self) -> str:
        end = self._read(1)
        while end < len(self._text):
            end = self._read(self._take_last(end))
        runs = self._emphases.open(end)
        while runs and self._pieces[-1][1] is runs[-1]:
            self._pieces.pop()
            runs.pop()
        closed = [(run, width) for run in runs for width in run.open_all()]
        writer = Writer(self._dialect)
        shown = "".join(self._written(end, writer))
        return (shown.rstrip() if runs else shown) + "".join(writer.close(closed))

    def ranges(self) -> list[tuple[int, int]]:
        end = self._read(1)
        starts = [start for start, _ in self._pieces]
        found = [
            (start, stop)
            for (start, piece), stop in zip(self._pieces, [*starts[1:], end], strict=False)
            if isinstance(piece, Run) or SPECIAL.match(self._text, start)
        ]
        found += self._emphases.pairs
        held = self._emphases.open(end)
        if held or end < len(self._text):
            found.append((held[0].at if held else end, len(self._text)))
        return sorted(found)

    def _read(self, at: int) -> int:
        """Take the text apart from here; where it stopped, because what comes next decides."""
        while at < len(self._text):
            found = SPECIAL.search(self._text, at)
            stop = self._end_of_plain(at) if found is None else found.start()
            if stop > at:
                self._pieces.append((at, self._text[at:stop]))
                at = stop
            if found is None:
                break
            try:
                end, piece = self._take(at)
            except UndecidedError:
                break
            self._pieces.append((at, piece))
            at = end
        return at

    def _end_of_plain(self, at: int) -> int:
        if self._ahead.final:
            return len(self._text)
        tail = SPECIAL_TAIL.search(self._text, max(at, len(self._text) - LONGEST_TAIL))
        return len(self._text) if tail is None else tail.start()

    def _take(self, at: int) -> tuple[int, str | Run]:
        char = self._text[at]
        if char not in "*_~":
            return self._spans.take(at)
        end = self._ahead.run(at)
        count = end - at
        if char == "~" and count == 1:
            return end, self._dialect.tilde()
        if count == SPAN or (char == "~" and count != _STRIKE):
            return end, self._text[at:end]
        run = run_of(char, at, count, self._text[at - 1], self._text[end : end + 1])
        self._emphases.add(run)
        return end, run

    def _take_last(self, at: int) -> int:
        """Take what is undecided as if nothing came after it; where it is not complete, leave it out to the end."""
        if not SPECIAL.match(self._text, at):
            self._pieces.append((at, self._text[at:]))
            return len(self._text)
        self._ahead.final = True
        try:
            end, piece = self._take(at)
        finally:
            self._ahead.final = False
        if isinstance(piece, Run):
            unfinished = not piece.closes
        else:
            unfinished = self._text[at] in _HIDDEN_UNFINISHED and (
                end == at + 1 or not piece.strip(f"`{BREAK}")
            )
        if unfinished:
            return len(self._text)
        self._pieces.append((at, piece))
        return end

    def _written(self, end: int, writer: Writer | None = None) -> list[str]:
        """The pieces up to ``end``."""
        writer = writer or Writer(self._dialect)
        out: list[str] = []
        for at, piece in self._pieces:
            if at >= end:
                break
            if isinstance(piece, str):
                out.append(piece)
            else:
                out += writer.write(piece)
        return out
