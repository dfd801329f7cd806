"""The port through which somebody watches what a bot asks of its platform. It costs a call nothing: it neither waits
nor fails, and is told no text, no person and no chat.
"""

from __future__ import annotations

from typing import Literal, Protocol

from conversation.outbound import (
    DeliveryError,
    DeliveryRefusedError,
    DeliveryStoppedError,
    DeliveryUnknownError,
)

Result = Literal["ok", "limited", "delayed", "unknown", "stopped", "refused", "unauthorized"]
"""What a call came to: done; refused by the platform's rate limit; not done or not answered, to be repeated; perhaps
done; stopped by the person; refused for good; or refused because of the bot's own credentials."""


class PlatformWatch(Protocol):
    """Of one bot."""

    def called(self, method: str, result: Result, seconds: float) -> None:
        """One request was made, and took so long. Must not raise."""
        ...

    def waited(self, urgent: bool, seconds: float) -> None:
        """A call has got its permit, after so long. Must not raise."""
        ...

    def revoked(self) -> None:
        """The platform told by itself that the bot's credentials are good for nothing any more. Must not raise."""
        ...


class Unwatched:
    """Nobody watches."""

    def revoked(self) -> None:
        """Nothing."""

    def called(self, method: str, result: Result, seconds: float) -> None:
        """Nothing."""

    def waited(self, urgent: bool, seconds: float) -> None:
        """Nothing."""


UNWATCHED: PlatformWatch = Unwatched()


def result_of(error: DeliveryError) -> Result:
    """What may be said without knowing the platform."""
    match error:
        case DeliveryStoppedError():
            return "stopped"
        case DeliveryUnknownError():
            return "unknown"
        case DeliveryRefusedError():
            return "refused"
        case _:
            return "delayed"
