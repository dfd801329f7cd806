"""The port through which somebody watches how turns fare. It costs a turn nothing: it neither waits nor fails."""

from __future__ import annotations

from typing import Protocol

from conversation.turn import Claim, Final


class Observer(Protocol):
    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        """A turn has its outcome, after it ``waited`` in the queue and ``ran``, in seconds. Must not raise."""
        ...

    def turn_put_back(self, claim: Claim) -> None:
        """The platform did not take the answer, or there is a bug: it is tried again. Must not raise."""
        ...


class Unobserved:
    """Nobody watches."""

    def turn_completed(self, claim: Claim, final: Final, waited: float, ran: float) -> None:
        """Nothing."""

    def turn_put_back(self, claim: Claim) -> None:
        """Nothing."""
