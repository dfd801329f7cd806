"""The model's Markdown as Slack's ``markdown_text``.

Invariants: no text makes Slack notify a channel, a workspace or a user group; and rendering is prefix-stable:
``render(a + b).startswith(settled(render(a)))``, so that a stream can append what is new.
"""

from __future__ import annotations

import re

_BROADCAST = re.compile(r"<(?=![ches])", re.IGNORECASE)
"""Of ``<!channel>``, ``<!here>``, ``<!everyone>`` and ``<!subteam^…>`` the first letter decides, so that the
decision stands as soon as it can be seen; ``<!--`` and ``<!DOCTYPE`` in code stay as they are."""

_BREAK = "<\u200b"


def render(text: str) -> str:
    return _BROADCAST.sub(_BREAK, text) if "<!" in text else text


def settled(rendered: str) -> str:
    """Without the end that the next character may still change."""
    return rendered.removesuffix("!") if rendered.endswith("<!") else rendered
