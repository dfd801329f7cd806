"""How messages and deliveries are written to a store: JSON with a type name and version in front.

Invariant: what a version of Turnkeeper wrote, the next one reads; golden files in the tests guard it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender
from conversation.turn import Delivery, Reason, Repair, Turn

T = TypeVar("T")


class UnreadableRecordError(Exception):
    """The stored bytes are not of the type and version expected."""


class Stored(Generic[T]):
    """Writes and reads one frozen type under a stable name."""

    def __init__(self, name: str, kind: type[T]) -> None:
        self._prefix = f'{{"type":"{name}","data":'.encode()
        self._name = name
        self._adapter = TypeAdapter(kind)

    def write(self, value: T) -> bytes:
        return self._prefix + self._adapter.dump_json(value) + b"}"

    def read(self, record: bytes) -> T:
        """Raises UnreadableRecordError."""
        if not record.startswith(self._prefix):
            raise UnreadableRecordError(f"not a {self._name}")
        try:
            return self._adapter.validate_json(record[len(self._prefix) : -1])
        except ValidationError as error:
            raise UnreadableRecordError(f"a damaged {self._name}") from error


stored_message = Stored("turnkeeper.message.v1", InboundMessage)
stored_delivery = Stored("turnkeeper.delivery.v1", Delivery)


def write_messages(messages: Sequence[InboundMessage]) -> bytes:
    """The messages of one turn: a line for each, with its turn id in front. More may be appended."""
    return b"\n".join(b"%b %b" % (one.turn_id.encode(), stored_message.write(one)) for one in messages)


def read_messages(record: bytes) -> tuple[InboundMessage, ...]:
    """Raises UnreadableRecordError."""
    return tuple(stored_message.read(line.partition(b" ")[2]) for line in record.split(b"\n"))


def without_message(record: bytes, turn_id: str) -> bytes:
    """The record without one of its messages; empty if it was the only one."""
    lines = record.split(b"\n")
    return b"\n".join(line for line in lines if line.partition(b" ")[0] != turn_id.encode())


def with_edit(record: bytes, edited: InboundMessage) -> bytes | None:
    """The record with one of its messages as it was changed; None if that is not there, or knows a later change."""
    prefix = edited.turn_id.encode() + b" "
    lines = record.split(b"\n")
    for place, line in enumerate(lines):
        if not line.startswith(prefix):
            continue
        (old,) = readable(line) or (edited,)
        if old.edited_at >= edited.edited_at:
            return None
        lines[place] = write_messages((edited,))
        return b"\n".join(lines)
    return None


def readable(record: bytes) -> tuple[InboundMessage, ...]:
    """The messages, or none if they are damaged or of a version that this one does not know."""
    try:
        return read_messages(record)
    except UnreadableRecordError:
        return ()


def has_final(delivery: bytes) -> bool:
    """Whether the final text is stored; not if that cannot be read."""
    try:
        return stored_delivery.read(delivery).final is not None
    except UnreadableRecordError:
        return False


def known_reason(name: str) -> Reason:
    """One that only a later version knows counts as MALFORMED."""
    try:
        return Reason(name)
    except ValueError:
        return Reason.MALFORMED


def read_turn(
    key: ConversationKey,
    turn_id: str,
    record: bytes,
    admitted_at: float,
    refusal: str | None,
    attempt: int,
    crashes: int,
    failures: int,
    delivery: bytes | None,
) -> Turn:
    """The turn as it was stored. One that is damaged, or of a version that this one does not know, is to be refused
    as MALFORMED, in the chat where it was written.
    """
    messages = readable(record)
    reason = known_reason(refusal) if refusal else None
    try:
        progress = stored_delivery.read(delivery) if delivery else Delivery()
    except UnreadableRecordError:
        progress, reason = Delivery(), Reason.MALFORMED
    if not messages:
        messages, reason = (_placeholder(key),), Reason.MALFORMED
    return Turn(turn_id, messages, admitted_at, reason, attempt, crashes, failures, progress)


def read_repair(
    turn_id: str, record: bytes, admitted_at: float, attempt: int, delivery: bytes, strays: str
) -> Repair | None:
    """None where it cannot be read what was shown. ``strays`` has a line for each."""
    try:
        messages, progress = read_messages(record), stored_delivery.read(delivery)
    except UnreadableRecordError:
        return None
    turn = Turn(turn_id, messages, admitted_at, attempt=attempt, delivery=progress)
    return Repair(turn, tuple(strays.splitlines()))


def _placeholder(key: ConversationKey) -> InboundMessage:
    return InboundMessage(
        key=key,
        identity="",
        address=Address(key.chat, "", key.thread, key.sender, key.tenant),
        sender=Sender(key.sender, key.tenant),
        text="",
        sent_at=0.0,
        locale="en",
    )
