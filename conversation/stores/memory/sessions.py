"""The reference model's sessions: whose lease lasts, and who may be reaped."""

from __future__ import annotations

from dataclasses import dataclass

from conversation.clock import Clock
from conversation.stores.port import GRACE, LEASE, OUTAGE, SessionLostError


@dataclass
class Session:
    expires_at: float
    draining: bool = False


class Sessions:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._opened = 0
        self._ticked_at: float | None = None
        self._grace_until = 0.0

    def __contains__(self, name: str) -> bool:
        return name in self._sessions

    def open(self) -> str:
        self._opened += 1
        name = f"s{self._opened}"
        self._sessions[name] = Session(self._clock.now() + LEASE)
        return name

    def known(self, name: str) -> Session:
        """Raises SessionLostError."""
        try:
            return self._sessions[name]
        except KeyError:
            raise SessionLostError("the session was reaped or closed") from None

    def renew(self, name: str) -> None:
        """Raises SessionLostError."""
        self.known(name).expires_at = self._clock.now() + LEASE

    def has_expired(self, name: str) -> bool:
        """Raises SessionLostError."""
        return self.known(name).expires_at <= self._clock.now()

    def may_claim(self, name: str) -> bool:
        return name in self and not self.known(name).draining and not self.has_expired(name)

    def others(self, name: str) -> list[str]:
        return [other for other in self._sessions if other != name]

    def close(self, name: str) -> None:
        self._sessions.pop(name, None)

    def to_reap(self, limit: int) -> list[tuple[str, float]]:
        """Sessions and when their leases ended, as a tick finds them: none for a while after an outage."""
        now = self._clock.now()
        if self._ticked_at is not None and now - self._ticked_at > OUTAGE:
            self._grace_until = now + GRACE
        self._ticked_at = now
        if now < self._grace_until:
            return []
        expired = [(name, one.expires_at) for name, one in self._sessions.items() if one.expires_at <= now]
        return expired[:limit]
