"""Lines as they are put out: what stands between two, and the mark of the quote in which they are."""

from __future__ import annotations


class Output:
    """A line's end is put out only with the line that follows it. ``quote`` is how often the next one is quoted."""

    def __init__(self) -> None:
        self.quote = 0
        self.apart = False
        """Whether the next line needs a blank one before it."""
        self._out: list[str] = []
        self._begun = False
        self._blank = False
        self._blank_quoted = False

    @property
    def text(self) -> str:
        self._out = ["".join(self._out)]
        return self._out[0]

    def add(self, text: str) -> None:
        self._out.append(text)

    def blank_line(self, quote: int) -> None:
        """As many as there are become one, which is in the quote if all of them are."""
        quoted = 0 < quote == self.quote
        self._blank_quoted = quoted and (self._blank_quoted or not self._blank)
        self._blank = True

    def set_quote(self, quote: int) -> None:
        self.quote, self._blank_quoted = quote, False

    def start(self, line: str, *, quoted: bool = True) -> None:
        """Begin a line; ``quoted``: in the quote, if there is one."""
        quote = "> " * self.quote if quoted else ""
        if self._begun:
            between = quote.rstrip() if self._blank_quoted or not self._blank else ""
            self._out.append(f"\n{between}\n" if self._blank or self.apart else "\n")
        self._blank = self._blank_quoted = self.apart = False
        self._begun = True
        self._out.append(quote + line)
