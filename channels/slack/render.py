"""The model's Markdown as Slack's ``markdown_text`` (docs: block-kit/blocks/markdown-block).

Slack draws Markdown itself, so it is passed on but for what Slack would misread: tags, of which some notify people,
emphasis and code that stand tight beside CJK characters, underscores as marks, TeX, and addresses that it would not
link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from channels import markdown
from channels.markdown.dialect import BREAK, CJK, Dialect, is_cjk

PART_BYTES = 9_000
"""UTF-8 bytes of one part: below 12,000 characters, which a post takes, and below what a stream took in public
measurements (10.6 to 11.9 thousand bytes over its life)."""

RENDERED_BYTES = 10_400
"""The same, rendered."""

PLACEHOLDER = "…"
"""Stands for a text of which nothing can be seen yet: Slack takes no empty message."""

# Where a gap may be needed: each is at a mark that has a CJK character on one of its sides.
_TIGHT = re.compile(rf"(?<=[{CJK}])[*_~`$\\]|[*_~`$)\]](?=[{CJK}])")


class SlackDialect(Dialect):
    # docs: block-kit/blocks/table-block, which a table of Markdown becomes; a header is one of its 100 rows.
    columns = 20
    rows = 99
    schemes = frozenset({"http", "https", "mailto", "tel"})
    broadcasts = ("channel", "here", "everyone")
    code_tag = re.compile(r"<(?=!(?:channel|here|everyone|group|subteam)|@[UWB][A-Z0-9])", re.IGNORECASE)
    code_tail = re.compile(r"<(?:[!@][A-Za-z0-9]{0,8})?\Z")

    def escaped(self, char: str) -> str:
        """Not documented is which comes first with Slack, the backslash or the tag that notifies people."""
        return self.less_than() if char == "<" else super().escaped(char)

    def gap(self, outside: str, *, sound: bool) -> str:
        """Seen in public tests of Slack's renderer: marks beside CJK characters are shown as they are, and not if a
        zero-width space stands between (slack-markdown-parser, "Slack Nested Modifier Findings").
        """
        return BREAK if outside and (is_cjk(outside) or not sound) else ""


DIALECT = SlackDialect()
NOBODY: Mapping[str, str] = MappingProxyType({})


def render(text: str, people: Mapping[str, str] = NOBODY) -> str:
    return rendering(people).finish(text) or PLACEHOLDER


def shown(text: str, people: Mapping[str, str] = NOBODY) -> str:
    """A text that may grow, for now."""
    growing = rendering(people)
    growing.grow(text)
    return growing.shown or PLACEHOLDER


def rendering(people: Mapping[str, str] = NOBODY) -> markdown.Rendering:
    """``people`` are ids by name."""
    if not people:
        return markdown.Rendering(DIALECT)
    return markdown.Rendering(SlackDialect({name: f"<@{id}>" for name, id in people.items()}))


def cut(text: str, shown: int = 0) -> tuple[str, str] | None:
    """``Outbound.cut``."""
    return markdown.cut(text, PART_BYTES, _fits, shown=shown)


def steady(text: str, shown: int) -> int:
    """``Outbound.steady``."""
    return markdown.steady(text, PART_BYTES, _fits, shown=shown)


def _fits(text: str) -> bool:
    """Whether a text is no longer than RENDERED_BYTES when it is rendered; told from the most that may be added.

    ``test_render`` looks for a text that gets longer.
    """
    if len(text) * 16 <= RENDERED_BYTES:
        return True
    text = markdown.bare(text)  # first, as it brings together what stood apart
    room = RENDERED_BYTES - len(text.encode()) - _growth(text)
    if text.isascii():
        return room >= 0
    marks = text.count("*") + text.count("_") + text.count("~") + text.count("`") + text.count("$")
    return room >= 3 * (marks + text.count("\\")) or room >= 3 * len(_TIGHT.findall(text))


def _growth(text: str) -> int:
    """Bytes that rendering adds, at most, but for gaps beside CJK characters."""
    return (
        64  # what is closed at the end, once
        + 3 * (text.count("<") + text.count("```"))
        + 16 * text.count("@")  # of a person
        + 2 * text.count("\\")
        + 12 * text.count("\\[")
        + 6 * text.count("$")
        + 2 * (text.count("(") + text.count(")") + text.count("://"))
        + 2 * text.count("|")
        + 5 * text.count("\n|")
        + text.count("\n-")
        + text.count("\n=")
        + text.count(">")
        # Indentation is doubled at most; a tab is four columns.
        + 2 * text.count("  ")
        + text.count("\n ")
        + 7 * text.count("\t")
    )
