"""What a platform makes of the text that it is sent, as HTML: a likeness, drawn from its documentation.

Written apart from what renders the text, on a reader of CommonMark. Both platforms keep the line's ends within a
paragraph, and link addresses; what else differs is told by ``Platform``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

Name = Literal["slack", "lark", "post"]

_ADDRESS = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*[A-Za-z0-9/]")
_NO_WIDTH, _HAIR = "\u200b", "\u200a"
"""Slack takes a space of no width for a space (public tests of its renderer: slack-markdown-parser), CommonMark does
not; for the reader it is another one meanwhile."""

_TASK = re.compile(r"\A\[([ xX])\] ")


@dataclass(frozen=True, slots=True)
class Platform:
    """``names_languages``: above code; ``breaks_in_cells``: knows ``<br>`` in tables."""

    name: Name
    title: str
    tables: bool
    headings: bool
    tasks: bool
    names_languages: bool
    breaks_in_cells: bool


PLATFORMS = (
    Platform(
        "slack",
        "Slack",
        tables=True,
        headings=True,
        tasks=True,
        names_languages=False,
        breaks_in_cells=False,
    ),
    Platform(
        "lark",
        "Lark, card",
        tables=True,
        headings=True,
        tasks=False,
        names_languages=True,
        breaks_in_cells=True,
    ),
    Platform(
        "post",
        "Lark, post",
        tables=False,
        headings=False,
        tasks=False,
        names_languages=True,
        breaks_in_cells=False,
    ),
)


def drawn(text: str, platform: Platform) -> str:
    """A message's inside."""
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough")
    if platform.tables:
        reader.enable("table")
    if not platform.headings:
        reader.disable(["heading", "lheading"])
    tokens = reader.parse(text.replace(_NO_WIDTH, _HAIR) if platform.name == "slack" else text)
    for inline in (token for token in tokens if token.type == "inline"):
        _prepare(inline.children or [], platform)
    return str(_Renderer(platform).render(tokens, reader.options, {})).replace(_HAIR, _NO_WIDTH)


def _prepare(children: Sequence[Token], platform: Platform) -> None:
    first = next(iter(children), None)
    if platform.tasks and first is not None and (task := _TASK.match(first.content)):
        first.content = ("☐ " if task[1] == " " else "☑ ") + first.content[task.end() :]
    depth = 0
    for token in children:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        token.meta["linked"] = depth > 0


class _Renderer(RendererHTML):
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        super().__init__()

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        content, out, end = tokens[idx].content, "", 0
        for found in _ADDRESS.finditer(content) if not tokens[idx].meta.get("linked") else ():
            address = html.escape(found[0])
            out += html.escape(content[end : found.start()]) + f'<a href="{address}">{address}</a>'
            end = found.end()
        out += html.escape(content[end:])
        return out.replace("&lt;br&gt;", "<br>") if self._platform.breaks_in_cells else out

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        name = token.info.strip() if self._platform.names_languages else ""
        caption = f"<figcaption>{html.escape(name)}</figcaption>" if name else ""
        return f'<div class="code">{caption}<pre>{html.escape(token.content.rstrip())}</pre></div>\n'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="wide" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"
