"""Links to messages, as Slack's "Copy link" writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(r"/archives/([A-Z0-9]{2,20})/p(\d{1,12})(\d{6})/?")
_TS = re.compile(r"\d{1,12}\.\d{1,9}")
_HOST = re.compile(r"([a-z0-9-]+\.)+(slack\.com|slack-gov\.com)")


@dataclass(frozen=True, slots=True)
class Link:
    """``thread`` is empty for a message that stands in the channel itself."""

    chat: str
    ts: str
    thread: str


def read_link(text: str) -> Link | None:
    """None for anything else."""
    try:
        parts = urlsplit(text.strip())
        found = _PATH.fullmatch(parts.path)
        threads = parse_qs(parts.query).get("thread_ts", [])
    except ValueError:
        return None
    if found is None or parts.scheme != "https" or not _HOST.fullmatch(parts.netloc.lower()):
        return None
    chat, seconds, fraction = found.groups()
    thread = threads[0] if threads and _TS.fullmatch(threads[0]) else ""
    return Link(chat, f"{seconds}.{fraction}", thread)
