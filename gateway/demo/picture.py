"""The README's picture: one frame of the demonstration, and its closing table, as an SVG file.

``python -m gateway.demo.picture docs/demo.svg``
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from pathlib import Path

from rich.console import Console

from gateway.demo.conversations import Conversation
from gateway.demo.scene import Scene
from gateway.demo.screen import Picture

WIDTH, HEIGHT = 132, 44
FETCHED_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""A picture in a repository names a font and fetches none."""

ENOUGH_GROWING = 16
"""Replies that have to be growing at once for a good picture."""


def main(path: Path) -> None:
    """Play the demonstration unseen and write the frame in which most replies have grown most."""
    path.write_text(asyncio.run(_best_frame()), encoding="utf-8")


async def _best_frame() -> str:
    scene = Scene(_silent)
    best, frame = 0, ""
    playing = asyncio.create_task(scene.play(chaos=False))
    while not playing.done():
        await asyncio.sleep(0.1)
        turns = [turn for conversation in scene.conversations for turn in conversation.turns]
        growing = sum(turn.streaming for turn in turns)
        written = sum(len(turn.text) for turn in turns if turn.streaming)
        if growing >= ENOUGH_GROWING and written > best:
            best, frame = written, _drawn(scene)
    await playing
    return frame


def _drawn(scene: Scene) -> str:
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
    console.print(Picture(scene))
    return FETCHED_FONT.sub("", console.export_svg(title="turnkeeper demo"))


def _silent(_conversation: Conversation | None, _text: str) -> None:
    """The frame shows it."""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
