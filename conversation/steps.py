"""What a service does on its way to an answer, asking tools of its own above all, as far as it tells.

Steps are shown and forgotten, and never logged: their titles may quote what somebody wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

MOST = 30
"""Steps of one message. Further ones are not shown: nobody reads them, and a message has limits."""

TITLE_LENGTH = 80

DETAIL_LENGTH = 200
"""Below the 256 characters of a field of Slack's cards."""

State = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """``id`` is the service's: the same whenever it tells of this step. ``detail``: what it was about, if known."""

    id: str
    title: str
    state: State
    detail: str = ""


class Steps:
    """Of the message that is growing, in the order in which they began."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self._running: set[str] = set()  # also of those that are not shown

    def __bool__(self) -> bool:
        return bool(self._steps)

    @property
    def all(self) -> tuple[Step, ...]:
        return tuple(self._steps.values())

    @property
    def running(self) -> bool:
        return bool(self._running)

    def take(self, step: Step) -> None:
        """A step that began, or what became of one, whose name then stays."""
        if step.state == "running":
            self._running.add(step.id)
        else:
            self._running.discard(step.id)
        known = self._steps.get(step.id)
        if known is not None:
            self._steps[step.id] = replace(known, state=step.state)
        elif len(self._steps) < MOST:
            self._steps[step.id] = replace(
                step, title=_line(step.title, TITLE_LENGTH), detail=_line(step.detail, DETAIL_LENGTH)
            )

    def ended(self, *, well: bool) -> tuple[Step, ...]:
        """As they stand under a message that is over: nothing runs any more."""
        over: State = "done" if well else "failed"
        return tuple(
            replace(step, state=over) if step.state == "running" else step for step in self._steps.values()
        )

    def turn_over(self) -> None:
        """The message has ended; what still runs is told of in the next one."""
        self._steps = {id: step for id, step in self._steps.items() if step.state == "running"}


def at_work(steps: Sequence[Step]) -> str:
    """The newest step in a line, for a place that can show no more; empty if there is none."""
    return f"{steps[-1].title}…" if steps else ""


def _line(text: str, length: int) -> str:
    """On one line, and without what some platform would take for a tag."""
    line = " ".join(text.replace("<", "‹").replace(">", "›").split())
    return line if len(line) <= length else line[: length - 1] + "…"
