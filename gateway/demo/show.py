"""``turnkeeper demo``: plays the scene, draws it, and reports."""

from __future__ import annotations

import asyncio
import time

from rich.cells import set_cell_size
from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway.demo.closing import print_report
from gateway.demo.conversations import Conversation
from gateway.demo.gateway_process import GatewayDiedError
from gateway.demo.scene import Report, Scene
from gateway.demo.screen import FRAMES_PER_SECOND, Picture

INTERRUPTED = 130
NAME_WIDTH = 12


def show(*, chaos: bool) -> int:
    """Play, draw and report; the process's exit code."""
    console = Console(highlight=False)
    try:
        report = asyncio.run(_play(console, chaos=chaos))
    except GatewayDiedError as died:
        console.print(Text(died.log, style="dim"))
        console.print(Text(f"✗ {died} Above are the last lines of its log.", style="bold red"))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    print_report(console, report)
    return 0 if report.good else 1


async def _play(console: Console, *, chaos: bool) -> Report:
    if not console.is_terminal:
        return await Scene(_Lines(console)).play(chaos=chaos)
    scene = Scene(_silent)
    with Live(Picture(scene), console=console, auto_refresh=False, vertical_overflow="crop") as live:
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(_draw(live))
            try:
                report = await scene.play(chaos=chaos)
            finally:
                drawing.cancel()
        live.refresh()
    return report


async def _draw(live: Live) -> None:
    while True:
        live.refresh()
        await asyncio.sleep(1 / FRAMES_PER_SECOND)


def _silent(_conversation: Conversation | None, _text: str) -> None:
    """The picture shows it."""


class _Lines:
    """Prints what happens as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started_at = time.time()

    def __call__(self, conversation: Conversation | None, text: str) -> None:
        who = "gateway" if conversation is None else conversation.name
        elapsed = time.time() - self._started_at
        line = Text(f"{elapsed:6.2f} s  {set_cell_size(who, NAME_WIDTH)} {text}")
        self._console.print(line, soft_wrap=True)
