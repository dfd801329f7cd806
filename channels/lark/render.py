"""From a model's Markdown to what a card or a post draws, and where to cut it.

Cards of schema 2.0 draw CommonMark, tables and some tags (docs: "富文本组件"); posts draw less (docs:
"发送消息内容结构"). Sizes are measured on the text as it came; ``_growth`` says what rendering adds at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from channels import markdown
from channels.markdown.dialect import BREAK, Dialect

PART_BYTES = 20_000
"""UTF-8 bytes of text in one card, which may have 30 KB as JSON (docs: 200860)."""

RENDERED_BYTES = 29_000
"""The same, rendered, as a JSON string. The remainder is for the card around it."""

PLACEHOLDER = "…"
"""Shown where there is nothing to be seen yet: neither a card's element nor a message may be empty."""

SUMMARY_LENGTH = 60

# The platform's tag that notifies people: only we may decide that somebody is.
_AT_TAG = re.compile(r"<(?=/?at(?:[\s/>]|\Z))", re.IGNORECASE)
_ADDRESSES = re.compile(r"://\S+")
_MARKUP = re.compile(r"[*`~]+|^[ \t]*(?:#{1,6}|>|[-+])[ \t]+", re.MULTILINE)

_LANGUAGES = {
    "c#": "c_sharp",
    "c++": "cpp",
    "cs": "c_sharp",
    "csharp": "c_sharp",
    "docker": "docker_file",
    "dockerfile": "docker_file",
    "golang": "go",
    "js": "javascript",
    "jsx": "javascript",
    "kt": "kotlin",
    "md": "markdown",
    "objc": "objective_c",
    "ps1": "powershell",
    "py": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "shell",
    "tex": "latex",
    "text": "plain_text",
    "ts": "typescript",
    "tsx": "typescript",
    "txt": "plain_text",
    "yml": "yaml",
    "zsh": "shell",
}
"""What models call languages, and cards otherwise (docs: "代码块支持的编程语言")."""


class CardDialect(Dialect):
    tables = 3
    """Of 5 in a card (docs: "表格") and 4 in one element (docs: "富文本组件"): cards near the limit were refused, and
    3 were not (public code: openclaw-lark).
    """

    code_tag = _AT_TAG
    code_tail = re.compile(r"</?[a-z]{0,2}\Z", re.IGNORECASE)

    def heading(self, level: int, text: str) -> str:
        """Two levels lower: 26 and 22 pixels are too large beside a text of 14."""
        return super().heading(min(level + 2, 6), text)

    def task(self, *, done: bool) -> str:
        return "☑ " if done else "☐ "

    def language(self, name: str) -> str:
        return _LANGUAGES.get(name.lower(), name)

    def address(self, address: str, *, tight: bool) -> str:
        return self.link(address, address) if tight else address

    def line_break(self, *, in_table: bool) -> str:
        return "<br>" if in_table else "\n"

    def escaped(self, char: str) -> str:
        """docs: "特殊字符转义说明"."""
        return f"&#{ord(char)};"

    def less_than(self) -> str:
        return self.escaped("<")

    def tilde(self) -> str:
        return self.escaped("~")


class SimplerDialect(CardDialect):
    """For a card that the platform refused to draw: tables are what it counts (docs: 230099 with 11310)."""

    tables = 0


class PostDialect(CardDialect):
    """Of a post's ``md``, which documents neither headings, tables nor escapes, and underlines between tildes."""

    tables = 0

    def heading(self, level: int, text: str) -> str:  # noqa: ARG002 -- all look the same
        bare = text if "`" in text else text.replace("**", "")
        return f"**{bare}**" if bare and "*" not in bare else text

    def escaped(self, char: str) -> str:
        if char == "<":
            return self.less_than()
        return char if char in ".,!()[]{}+-#|" else f"\\{char}"

    def less_than(self) -> str:
        return f"<{BREAK}"

    def tilde(self) -> str:
        return "～"


CARD, SIMPLER, POST = CardDialect(), SimplerDialect(), PostDialect()
NOBODY: Mapping[str, str] = MappingProxyType({})


def render(text: str) -> str:
    """What a card draws; empty if there is nothing to be seen."""
    return markdown.render(text, CARD)


def simpler(text: str) -> str:
    """What a card draws of it in any case."""
    return markdown.render(text, SIMPLER)


def settled(text: str, people: Mapping[str, str] = NOBODY) -> str:
    """What of a text is certain, if it may grow."""
    growing = rendering(people)
    growing.grow(text)
    return growing.settled


def rendering(people: Mapping[str, str] = NOBODY) -> markdown.Rendering:
    """``people`` are ids by name (docs: "富文本组件", @人)."""
    if not people:
        return markdown.Rendering(CARD)
    return markdown.Rendering(CardDialect({name: f"<at id={id}></at>" for name, id in people.items()}))


def post(text: str) -> str:
    """What a post's ``md`` draws."""
    return markdown.render(text, POST) or PLACEHOLDER


def plain(text: str) -> str:
    """The text as it is, without control characters, lone surrogates and mentions that would notify somebody."""
    return _AT_TAG.sub(f"<{BREAK}", markdown.bare(text))


def cut(text: str, shown: int = 0) -> tuple[str, str] | None:
    """``Outbound.cut``."""
    return markdown.cut(text, PART_BYTES, _fits, shown=shown)


def steady(text: str, shown: int) -> int:
    """``Outbound.steady``."""
    return markdown.steady(text, PART_BYTES, _fits, shown=shown)


def summary(text: str) -> str:
    """What a chat list shows of it."""
    words = " ".join(_MARKUP.sub("", plain(text[: 4 * SUMMARY_LENGTH])).split())
    return words if len(words) <= SUMMARY_LENGTH else words[: SUMMARY_LENGTH - 1] + "…"


def _fits(text: str) -> bool:
    """Whether a text is no longer than RENDERED_BYTES when it is rendered; told from the most that may be added.

    ``test_render`` looks for a text that gets longer.
    """
    if len(text) * 17 <= RENDERED_BYTES:
        return True
    text = markdown.bare(text)  # first, as it brings together what stood apart
    room = RENDERED_BYTES - len(text.encode()) - _growth(text)
    if "://" in text:  # an address may be written twice
        room -= sum(12 + len(found[0].encode()) for found in _ADDRESSES.finditer(text))
    return room >= 0


def _growth(text: str) -> int:
    """Bytes that rendering and JSON add, at most, but for addresses."""
    return (
        128  # what is closed at the end, once
        + text.count('"')
        + text.count("\n")
        + 4 * text.count("<")
        + 47 * text.count("@")  # of a person, whose id has 35 characters
        + 5 * (text.count("\\") + text.count("~"))
        + text.count("*")
        + text.count("_")
        + 6 * text.count("$")
        + 16 * text.count("\\[")
        + 4 * text.count("`")
        + 2 * (text.count("(") + text.count(")") + text.count("#"))
        + 4 * text.count("|")
        + 12 * text.count("\n|")
        + 3 * (text.count("\n-") + text.count("\n="))
        + text.count(">")
        # Indentation is doubled at most; a tab is four columns, and two bytes of JSON.
        + 2 * text.count("  ")
        + text.count("\n ")
        + 8 * text.count("\t")
    )
