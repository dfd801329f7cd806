"""The replies that this process is writing, for who wants to watch them grow.

Being watched costs a reply nothing: its text is put together only when somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conversation.keys import ConversationKey


@dataclass(frozen=True, slots=True)
class Reply:
    """``since``: when this attempt began, in seconds since 1970. ``kept``: whether its bot keeps texts at all."""

    turn_id: str
    text: str
    since: float
    kept: bool


@dataclass(frozen=True, slots=True)
class _Growing:
    turn_id: str
    text: Callable[[], str]
    since: float
    kept: bool


class InFlight:
    """By conversation, as one reply at a time owns it."""

    def __init__(self) -> None:
        self._growing: dict[ConversationKey, _Growing] = {}

    @contextmanager
    def showing(
        self, key: ConversationKey, turn_id: str, text: Callable[[], str], since: float, *, kept: bool
    ) -> Iterator[None]:
        """While the context lasts ``text`` gives the answer as far as it has come."""
        growing = self._growing[key] = _Growing(turn_id, text, since, kept)
        try:
            yield
        finally:
            if self._growing.get(key) is growing:  # else a later claim runs here already
                del self._growing[key]

    def of(self, key: ConversationKey) -> Reply | None:
        growing = self._growing.get(key)
        return None if growing is None else _reply(growing)

    def all(self) -> dict[ConversationKey, Reply]:
        return {key: _reply(growing) for key, growing in self._growing.items()}


def _reply(growing: _Growing) -> Reply:
    return Reply(growing.turn_id, growing.text(), growing.since, growing.kept)
