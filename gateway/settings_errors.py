"""What is wrong with a configuration, in an operator's words: key, fault, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.config_file import Document, KeyPath, named

_TEXTS = {
    "missing": "is missing; add it",
    "union_tag_not_found": "is missing; add slack or lark",
    "string_type": "must be text; put it in quotes",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
}


def explained(
    detail: ErrorDetails, sections: Mapping[tuple[str, ...], type[BaseModel]]
) -> tuple[KeyPath, str]:
    """The key that pydantic means, and its problem. ``sections``: the model at each path, without numbers."""
    location = detail["loc"]
    kind = detail["type"]
    # The channel chose the kind of bot; it is no key of the file.
    path = (*location[:2], *location[3:]) if location[:1] == ("bots",) else location
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        path = (*path, "channel")
    if kind == "union_tag_invalid":
        text = f"unknown channel; {remedy(detail['ctx']['tag'], ('slack', 'lark'))}"
    elif kind == "extra_forbidden":
        section = sections[tuple(step for step in location[:-1] if isinstance(step, str))]
        text = f"unknown key; {remedy(str(location[-1]), section.model_fields)}"
    else:
        text = _TEXTS.get(kind) or detail["msg"].replace("Input should", "must")
    return path, text


def remedy(written: str, known: Iterable[str]) -> str:
    """The remedy for a name that does not exist."""
    names = sorted(known)
    nearest = difflib.get_close_matches(written, names, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(names)}"


def check_names(document: Document) -> None:
    """Report ids that are taken twice, and bots whose agent does not exist."""
    agents = _check_unique(document, "agents")
    _check_unique(document, "bots")
    for path, agent in document.texts("bots", "agent"):
        if agent not in agents:
            advice = remedy(agent, agents) if agents else "add it to agents"
            document.report(path, f"there is no agent {agent!r}; {advice}")


def _check_unique(document: Document, section: str) -> dict[str, KeyPath]:
    first: dict[str, KeyPath] = {}
    for path, name in document.texts(section, "id"):
        earlier = first.setdefault(name, path)
        if earlier != path:
            document.report(path, f"{name!r} is taken by {named(earlier[:-1])}; choose another")
    return first
