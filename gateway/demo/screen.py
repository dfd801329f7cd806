"""Draws the demonstration: all replies side by side in a terminal, or dated lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from rich.align import Align
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.demo.answers import tokens
from gateway.demo.conversations import Conversation, Turn

COLOURS = {"Slack": "magenta", "Lark": "cyan"}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_PER_SECOND = 12
FLASH_SECONDS = 1.5
BORDERS = 2
SMALLEST_PANEL = 24
LOWEST_PANEL = 5
FRAME_LINES = 3


class Stage(Protocol):
    """What the picture is of."""

    conversations: list[Conversation]
    started_at: float
    killed_at: float
    back_at: float


class Picture:
    """The whole grid at one moment, fitted to the terminal."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        conversations = self._stage.conversations
        columns, height = _layout(console.width, console.height, len(conversations))
        width = console.width // columns
        grid = Table.grid(expand=False)
        for _ in range(columns):
            grid.add_column(width=width)
        for row in _rows(conversations, columns):
            grid.add_row(*(self._panel(conversation, width, height) for conversation in row))
        yield Group(self._headline(), grid)

    def _headline(self) -> RenderableType:
        stage, now = self._stage, time.time()
        turns = [turn for conversation in stage.conversations for turn in conversation.turns]
        done = sum(turn.done_at > 0 for turn in turns)
        writing = sum(turn.streaming for turn in turns)
        line = Text.assemble(
            (" turnkeeper ", "bold reverse"),
            f"  {done}/{len(turns)} replies done, {writing} growing",
            style="default",
        )
        if stage.killed_at and not stage.back_at:
            line.append("  ⚡ SIGKILL", style="bold red")
        elif stage.killed_at:
            line.append(f"  ⚡ killed, back in {stage.back_at - stage.killed_at:.1f} s", style="red")
        line.append(f"  {now - stage.started_at:4.1f} s", style="dim")
        return Align.left(line)

    def _panel(self, conversation: Conversation, width: int, height: int) -> Panel:
        turn = conversation.current
        inner = width - BORDERS - 2
        question = Text(f"› {turn.question}", style="dim", no_wrap=True, overflow="ellipsis")
        question.truncate(inner, overflow="ellipsis")
        lines = [Text(line) for line in _wrapped(turn.text, inner)[-(height - BORDERS - 1) :]]
        dead = bool(self._stage.killed_at and not self._stage.back_at)
        flashing = bool(turn.cut_at and time.time() - turn.cut_at < FLASH_SECONDS)
        colour = "green" if conversation.done else COLOURS[conversation.platform]
        return Panel(
            Group(question, *lines),
            title=Text.assemble((conversation.platform, colour), " ", (conversation.person, "bold")),
            title_align="left",
            subtitle=_progress(conversation, dead=dead),
            subtitle_align="right",
            border_style="bold red" if flashing or (dead and turn.streaming) else colour,
            width=width,
            height=height,
            padding=(0, 1),
        )


def _layout(width: int, height: int, panels: int) -> tuple[int, int]:
    """Columns, and the height of a panel, so that all of them fit."""
    for columns in (4, 5, 2):
        rows = -(-panels // columns)
        lines = (height - FRAME_LINES) // rows
        if width // columns >= SMALLEST_PANEL and lines >= LOWEST_PANEL:
            return columns, min(lines, 8)
    columns = 4
    return columns, max(4, (height - FRAME_LINES) // -(-panels // columns))


def _rows(conversations: Sequence[Conversation], columns: int) -> list[list[Conversation]]:
    """Slack in the left half and Lark in the right, if the columns can be halved; else one after the other."""
    half = len(conversations) // 2
    if columns % 2:
        return [list(conversations[at : at + columns]) for at in range(0, len(conversations), columns)]
    side = columns // 2
    return [
        [*conversations[at : at + side], *conversations[half + at : half + at + side]]
        for at in range(0, half, side)
    ]


def _progress(conversation: Conversation, *, dead: bool) -> Text:
    """The state of both replies, such as ``✓ ⠙``."""
    line = Text()
    for number, turn in enumerate(conversation.turns, start=1):
        mark, style = _mark(turn, dead=dead)
        cut = ("⚡", "red") if turn.cut_at else ("", "")
        line.append_text(Text.assemble(f" {number}", cut, (mark, style), " "))
    return line


def _mark(turn: Turn, *, dead: bool) -> tuple[str, str]:
    if turn.done_at:
        return "✓", "bold green"
    if dead and turn.streaming:
        return "✗", "bold red"
    if turn.streaming:
        return SPINNER[int(time.time() * FRAMES_PER_SECOND) % len(SPINNER)], "yellow"
    return ("…" if turn.sent_at else "·"), "dim"


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of so many cells, without the Markdown that only takes room in a small panel.

    Unlike rich's own wrapping it breaks between any two Chinese characters.
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        if not paragraph.strip() or paragraph.startswith("```"):
            continue
        line = ""
        for token in tokens(paragraph.replace("*", "").replace("`", "")):
            if line and cell_len(line + token.rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += token
        lines.append(line.rstrip())
    return lines
