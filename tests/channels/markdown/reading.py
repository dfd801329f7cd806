"""How a reader of CommonMark understands a text. Written apart from the tested code."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def open_fence(text: str) -> tuple[str, str] | None:
    """The block of code that is open at the end: (marker, info)."""
    fence: tuple[str, str] | None = None
    for line in text.split("\n"):
        if fence is None:
            if opening := re.fullmatch(r"(?: *(?:[-*+]|\d+[.)]) +|[ \t]*)(```+|~~~+)(.*)", line, re.DOTALL):
                if opening[1][0] == "`" and "`" in opening[2]:
                    continue
                fence = opening[1], opening[2].strip()
        elif re.fullmatch(rf"[ \t]*{fence[0][0]}{{{len(fence[0])},}}[ \t]*", line):
            fence = None
    return fence


def tokens(text: str) -> list[Token]:
    """Blocks, and what is in them, in one list."""
    return [inner for token in _READER.parse(text) for inner in (token, *(token.children or ()))]


def within(text: str, kind: str) -> list[str]:
    """The texts of all emphases of a kind: strong, em, s or link."""
    found: list[str] = []
    depth = 0
    for token in tokens(text):
        if token.type == f"{kind}_open":
            if not depth:
                found.append("")
            depth += 1
        elif token.type == f"{kind}_close":
            depth -= 1
        elif depth:
            found[-1] += token.content
    return found


def spoken(text: str) -> list[str]:
    """The texts that are neither code nor part of an address."""
    return [
        re.sub(r"https?://\S*", "", token.content, flags=re.IGNORECASE)
        for token in tokens(text)
        if token.type == "text"
    ]


def kinds(text: str) -> list[str]:
    """The blocks, and in what: paragraph, heading, fence, table, bullet_list, blockquote …"""
    return [token.type.removesuffix("_open") for token in _READER.parse(text) if token.nesting >= 0]
