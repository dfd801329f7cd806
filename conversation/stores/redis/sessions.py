"""What this process knows of its own sessions: in which partitions each is, and how long its lease lasts.

A session begins in partition 0 and enters another one with its first claim there, for what is left of its lease.

Invariants:

- a session that is known to have entered a partition is renewed there strictly: if it is gone, it was reaped;
- one whose entry was never confirmed holds no claim there, so its renewal may make it enter;
- what is left is counted from before the question, so it never lasts longer here than at the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from conversation.stores.port import LEASE, SessionLostError
from conversation.stores.redis.partitions import HOME


@dataclass
class Session:
    name: str
    renewed_at: float
    entered: set[int] = field(default_factory=lambda: {HOME})
    asked: set[int] = field(default_factory=set)
    draining: bool = False

    @property
    def partitions(self) -> list[int]:
        """Where it is, and where it may be."""
        return sorted(self.entered | self.asked)

    def may_enter(self, partition: int) -> str:
        """For a renewal: the lease with which it may enter, where its entry was never confirmed."""
        return "" if partition in self.entered else str(LEASE)

    def enter(self, partition: int) -> None:
        """The store answered: the session is in this partition, if it was to enter it."""
        if partition in self.asked:
            self.asked.discard(partition)
            self.entered.add(partition)


class Sessions:
    """``now`` in seconds of a clock that nobody sets."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._sessions: dict[str, Session] = {}

    def opened(self, name: str, asked_at: float) -> None:
        self._sessions[name] = Session(name, asked_at)

    def find(self, name: str) -> Session | None:
        return self._sessions.get(name)

    def known(self, name: str) -> Session:
        """Raises SessionLostError."""
        session = self._sessions.get(name)
        if session is None:
            raise SessionLostError("the session was reaped or closed")
        return session

    def closed(self, name: str) -> None:
        self._sessions.pop(name, None)

    def alone(self, name: str) -> None:
        """All others were reaped."""
        self._sessions = {name: self._sessions[name]}

    def lost(self, name: str) -> SessionLostError:
        self.closed(name)
        return SessionLostError("the session was reaped or closed")

    def entering(self, session: Session | None, partition: int) -> str:
        """For the store: how long the lease still lasts, where the session is not known to have entered yet."""
        if session is None or partition in session.entered:
            return ""
        left = session.renewed_at + LEASE - self.now()
        if left <= 0:
            return ""
        session.asked.add(partition)
        return f"{left:.3f}"
