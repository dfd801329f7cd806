"""How commands print: lines and tables for people, JSON for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from rich.console import Console
from rich.table import Table


def print_line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True, emoji=False)


def print_json(console: Console, document: object) -> None:
    print_line(console, orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is there to be copied, however narrow the terminal; piped, columns are apart by two spaces."""
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, collapse_padding=True)
        for number, name in enumerate(columns):
            widest = max((len(row[0]) for row in rows), default=0)
            table.add_column(name, overflow="fold", min_width=widest if number == 0 else None)
        for row in rows:
            table.add_row(*row)
        console.print(table, highlight=False)
        return
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print_line(console, "  ".join(map(str.ljust, row, widths)).rstrip())


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """A name and what is known of it, a line each."""
    width = max(map(len, facts)) + 2
    for name, fact in facts.items():
        print_line(console, f"{name:<{width}}{fact}".rstrip())


def time(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def harmless(text: str) -> str:
    """Somebody else's text, without what a terminal would obey."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"
        else char
        for char in text
    )
