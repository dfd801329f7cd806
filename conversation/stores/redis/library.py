"""The functions that run inside Redis, under a name of their own for each version.

Invariant: a library's name is a digest of its text. Two versions of Turnkeeper therefore stand side by side on one
server while a deployment rolls, each calling its own, and loading one again is harmless.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from conversation.outbound import SEND_TIMEOUT
from conversation.stores.conversations import LISTED_FOR
from conversation.stores.events import EVENTS_KEPT
from conversation.stores.port import GRACE, LEASE, OUTAGE, REPAIR_AGAIN, REPAIRABLE_FOR, SEEN_FOR

_NUMBERS = {
    "LEASE": LEASE,
    "SEEN_FOR": SEEN_FOR,
    "EVENTS_KEPT": EVENTS_KEPT,
    "LISTED_FOR": LISTED_FOR,
    "OUTAGE": OUTAGE,
    "GRACE": GRACE,
    "REPAIR_AGAIN": REPAIR_AGAIN,
    "REPAIRABLE_FOR": REPAIRABLE_FOR,
    "SEND_TIMEOUT": SEND_TIMEOUT,
}


_FILES = (
    "keys",
    "line",
    "sessions",
    "admission",
    "transcripts",
    "turns",
    "forgetting",
    "timers",
    "repairs",
    "house",
    "records",
    "looking",
    "audit",
    "permits",
)
"""In ``functions/``, in the order in which each may use what stands before it."""


class Library:
    """The text of ``functions/*.lua``, with its name and this version's numbers put in."""

    def __init__(self, source: str | None = None) -> None:
        text = source or _source()
        for name, value in _NUMBERS.items():
            text = text.replace(f"@{name}@", f"{value:.0f}")
        self.name = "turnkeeper_" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
        self.text = text.replace("@LIBRARY@", self.name)

    def function(self, name: str) -> str:
        """The name under which the server knows a function."""
        return f"{self.name}_{name}"


def _source() -> str:
    folder = Path(__file__).with_name("functions")
    files = [(folder / f"{name}.lua").read_text(encoding="utf-8") for name in _FILES]
    return "\n".join(["#!lua name=@LIBRARY@", *files])
