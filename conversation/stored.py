"""How messages and deliveries are written to a store: JSON with a type name and version in front.

Invariant: what a version of Turnkeeper wrote, the next one reads; golden files in the tests guard it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender
from conversation.turn import Delivery

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


def placeholder(key: ConversationKey) -> InboundMessage:
    """Stands for messages that cannot be read: it leads into the chat where they were written."""
    return InboundMessage(
        key=key,
        identity="",
        address=Address(key.chat, "", key.thread, key.sender, key.tenant),
        sender=Sender(key.sender, key.tenant),
        text="",
        sent_at=0.0,
        locale="en",
    )
