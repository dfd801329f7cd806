"""Slack's markup as a model should read it (docs: messaging/formatting-message-text)."""

from __future__ import annotations

import re
from collections.abc import Collection

_MARKUP = re.compile(r"([ \t]?)<([^<>]+)>")


def mentions(text: str, users: Collection[str]) -> bool:
    return any(f"<@{user}>" in text or f"<@{user}|" in text for user in users)


def readable(text: str, *, own: Collection[str]) -> str:
    """Mentions of ``own`` users taken out, links, channels and broadcasts spelled out, characters unescaped.

    Mentions of other people, and of channels without a name, stay as Slack writes them: see ``people``.
    """
    if "<" in text:
        text = _MARKUP.sub(lambda found: _spell(found[1], found[2], found[0], own), text)
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text.strip()


def _spell(space: str, markup: str, whole: str, own: Collection[str]) -> str:
    target, _, label = markup.partition("|")
    match target[0:1]:
        case "@":
            return "" if target[1:] in own else whole
        case "#":
            return f"{space}#{label}" if label else whole
        case "!":
            return f"{space}{label or '@' + target[1:].partition('^')[0]}"
    address = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label == address or address.removesuffix("/").endswith(f"://{label}"):
        return f"{space}{address}"
    return f"{space}{label} ({address})"
