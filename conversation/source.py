"""The port through which a turn learns what its event did not hold: files, names, and what was said before.

Each channel implements it once per bot. Nothing here is a write: what fails is told, or left out, and never loses the
turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from conversation.messages import Address, Attachment, InboundMessage
from conversation.texts.troubles import Trouble

ASKED_WITHIN = 5.0
"""Seconds within which a source answers about people and earlier messages, with what it knows by then."""


class FileError(Exception):
    """A file cannot be had, and why. The text is for operators: it names no file."""

    def __init__(self, trouble: Trouble, cause: str = "") -> None:
        super().__init__(f"{trouble}: {cause}" if cause else str(trouble))
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file's bytes, and its ``name`` where the event did not tell it."""

    data: bytes = field(repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A message of the thread from before the bot was there. ``name`` is empty where it is not known."""

    name: str
    text: str
    at: float


class Source(Protocol):
    """What a platform can tell about a message besides its event."""

    async def fetch(self, to: Address, file: Attachment, most: int) -> Fetched:
        """The whole file, of at most ``most`` bytes. Raises FileError; the caller bounds the time."""
        ...

    async def readable(self, message: InboundMessage) -> str:
        """The text with people, groups and chats by their names. Who cannot be named is "@someone"."""
        ...

    async def name_of(self, message: InboundMessage) -> str:
        """The sender's name as people see it; empty where it cannot be had."""
        ...

    async def earlier(self, message: InboundMessage, most: int) -> Sequence[Earlier]:
        """The newest ``most`` messages of its thread before this one and after the bot's own last one, oldest first.
        Empty where there is no thread, or the platform does not tell (now).
        """
        ...
