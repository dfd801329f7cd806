"""The ports through which somebody watches how turns and sessions fare. They cost a turn nothing: who watches neither
waits nor fails.
"""

from __future__ import annotations

from typing import Literal, Protocol

from conversation.turn import Claim, Final

Renewal = Literal["renewed", "failed", "lost"]
"""What came of asking the store for a longer lease: it was granted; the store was away; it was over already, and
others have the turns that ran under it."""


class Observer(Protocol):
    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        """A turn has its outcome, after it ``waited`` in the queue and ``ran``, in seconds. Must not raise."""
        ...

    def text_shown(self, claim: Claim, seconds: float) -> None:
        """A turn was answered, so long after its admission the person saw the first text. Must not raise."""
        ...

    def turn_put_back(self, claim: Claim) -> None:
        """The platform did not take the answer, or there is a bug: it is tried again. Must not raise."""
        ...


class SessionObserver(Protocol):
    def lease(self, result: Renewal) -> None:
        """The store was asked for a longer lease. Must not raise."""
        ...


class Unobserved:
    """Nobody watches."""

    def lease(self, result: Renewal) -> None:
        """Nothing."""

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        """Nothing."""

    def text_shown(self, claim: Claim, seconds: float) -> None:
        """Nothing."""

    def turn_put_back(self, claim: Claim) -> None:
        """Nothing."""
