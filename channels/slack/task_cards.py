"""The steps of one stream as Slack's task cards (docs: reference/methods/chat.appendStream, "task_update chunks").

A card's title and status are replaced whenever it is sent again, its details are appended to (public issues of
vercel/chat): they go out once. An update of the whole message wipes them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from conversation.steps import State, Step, at_work

_STATUS: Mapping[State, str] = MappingProxyType(
    {"running": "in_progress", "done": "complete", "failed": "error"}
)


class TaskCards:
    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._wanted = tuple(steps)
        self._drawn: dict[str, Step] = {}
        self._refused = False

    @property
    def in_a_line(self) -> str:
        """What stays of them where they are wiped; empty if none was drawn."""
        return at_work(tuple(self._drawn.values()))

    @property
    def are_drawn(self) -> bool:
        return bool(self._drawn)

    def want(self, steps: Sequence[Step]) -> None:
        """All of them, as they stand now."""
        self._wanted = tuple(steps)

    def due(self) -> tuple[Step, ...]:
        """Those that Slack does not have, or has as they were."""
        if self._refused:
            return ()
        return tuple(step for step in self._wanted if self._drawn.get(step.id) != step)

    def chunks(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        return [self._chunk(step) for step in steps]

    def drew(self, steps: Sequence[Step]) -> None:
        self._drawn |= {step.id: step for step in steps}

    def give_up(self) -> None:
        """Slack does not take them here."""
        self._refused = True

    def _chunk(self, step: Step) -> dict[str, object]:
        ids = [one.id for one in self._wanted]
        chunk: dict[str, object] = {
            "type": "task_update",
            "id": f"step-{ids.index(step.id) + 1}",
            "title": step.title,
            "status": _STATUS[step.state],
        }
        if step.detail and step.id not in self._drawn:
            chunk["details"] = step.detail
        return chunk
