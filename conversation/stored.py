"""How messages and deliveries are written to a store: JSON with a type name and version in front.

Invariant: what a version of Turnkeeper wrote, the next one reads; golden files in the tests guard it.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from conversation.messages import InboundMessage
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
