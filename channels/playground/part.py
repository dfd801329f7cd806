"""What is kept of one part of an answer: a record that grows."""

from __future__ import annotations

from dataclasses import dataclass

from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import Record

KIND = "playground"
"""Of the records, of parts and of chats."""


@dataclass(frozen=True, slots=True)
class Part:
    """``message`` is the one that is answered. ``at`` is when it was last changed, in seconds since 1970.

    ``attempt`` is the newest that wrote: an earlier one may not any more.
    """

    text: str
    growing: bool
    message: str
    attempt: int
    at: float


stored_part = Stored("turnkeeper.playground_part.v1", Part)


def part_record(bot: str, chat: str, part: str) -> str:
    """The id of the record."""
    return f"{bot}/{chat}/{part}"


def read_part(record: Record | None) -> Part | None:
    """None also for one that is damaged, or of another version: it is written anew."""
    if record is None:
        return None
    try:
        return stored_part.read(record.document)
    except UnreadableRecordError:
        return None
