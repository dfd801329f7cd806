"""What a server of Chat Completions tells of the tools that it runs by itself.

The protocol has no word for that. Two ways are in use and read here, whatever server takes them: an event between the
chunks that names a call and its status (``event: hermes.tool.progress``: Hermes Agent, "API Server"; others follow
it), and ``executed_tools`` in a chunk's delta (Groq's API reference, Compound systems). What cannot be read is no
fault of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import orjson
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from conversation.steps import State, Step

_ENDED: dict[str, State] = {
    "completed": "done",
    "complete": "done",
    "done": "done",
    "success": "done",
    "failed": "failed",
    "error": "failed",
}
"""Every other status is of a call that runs."""


class _Executed(TypedDict, total=False):
    index: int | None
    type: str | None
    arguments: str | None
    output: str | None


class _Delta(TypedDict, total=False):
    executed_tools: list[_Executed] | None


class _Choice(TypedDict, total=False):
    delta: _Delta | None


class _Told(TypedDict, total=False):
    """An event of either kind."""

    toolCallId: str | None
    tool_call_id: str | None
    tool: str | None
    name: str | None
    label: str | None
    status: str | None
    choices: list[_Choice] | None


_TOLD = TypeAdapter(_Told)


class ToolEvents:
    """Hands on the steps of one answer."""

    def __init__(self, step: Callable[[Step], None]) -> None:
        self._step = step

    def read(self, events: list[bytes]) -> bool:
        """Whether a step was among them. An event without the word costs a look for it and nothing else."""
        found = False
        for event in events:
            if b"tool" not in event:
                continue
            try:
                told = _TOLD.validate_json(event)
            except ValidationError:
                continue
            for step in _steps(told):
                self._step(step)
                found = True
        return found


def _steps(told: _Told) -> Iterator[Step]:
    call = told.get("toolCallId") or told.get("tool_call_id")
    tool = told.get("tool") or told.get("name") or ""
    status = told.get("status")
    if call and status:
        yield Step(call, told.get("label") or _words(tool), _ENDED.get(status, "running"))
    for choice in told.get("choices") or ():
        for executed in (choice.get("delta") or {}).get("executed_tools") or ():
            state: State = "running" if executed.get("output") is None else "done"
            number, kind = executed.get("index"), executed.get("type") or ""
            yield Step(f"{number} {kind}", _words(kind), state, _about(executed.get("arguments")))


def _words(name: str) -> str:
    """A tool's name as people write it: ``web_search`` is "Web search"."""
    words = " ".join(name.replace("__", " ").replace("_", " ").split())
    return words[:1].upper() + words[1:] if words else "…"


def _about(arguments: str | None) -> str:
    """What a tool was asked: the first text among its arguments."""
    try:
        given: object = orjson.loads(arguments or "")
    except orjson.JSONDecodeError:
        return ""
    values = given.values() if isinstance(given, dict) else ()
    return next((value for value in values if isinstance(value, str)), "")
