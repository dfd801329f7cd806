"""What became of something that a platform sent: told to it in a header, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

What = Literal["accepted", "duplicate", "refused", "ignored", "challenge", "rejected", "unavailable"]
"""The admission that the header tells; or that it was not authentic, or that the store could not take it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is a word, or empty."""

    what: What
    reason: str = ""

    def __str__(self) -> str:
        """As the header tells it."""
        return f"{self.what}; reason={self.reason}" if self.reason else self.what


ACCEPTED, DUPLICATE = Verdict("accepted"), Verdict("duplicate")
NOTHING_TO_STOP = Verdict("ignored", "nothing_to_stop")


def ignored(reason: str) -> Verdict:
    return Verdict("ignored", reason)
