"""What is done for a person beside answering: a mark that the message was received, a word to one person alone.

Courtesies are no promise. Each is tried at the lowest priority, none is waited for by an answer, and one that fails
is logged and forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from conversation.messages import Address


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that a person may ask with one click. ``title`` is what is read, ``message`` what is asked."""

    title: str
    message: str


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a bot says to who opens it for the first time. An empty ``text`` is ours, in the person's language."""

    text: str = ""
    suggestions: tuple[Suggestion, ...] = ()


class Courtesies(Protocol):
    """Of one bot on its platform. Every call raises DeliveryError where the platform does not do it; one that a
    limit would hold back is not made at all.
    """

    async def mark(self, to: Address) -> None:
        """Show at ``to.message`` that it was received and is being answered: a status or a reaction. Marking what is
        marked changes nothing.
        """
        ...

    async def unmark(self, to: Address) -> None:
        """Take that away; what is not marked, or was marked by a process that died, too. Unlike the others it waits
        for a limit: a mark that stays would lie.
        """
        ...

    async def whisper(self, to: Address, text: str) -> None:
        """Say something that ``to.sender`` alone sees."""
        ...

    async def suggest(self, to: Address, suggestions: Sequence[Suggestion]) -> bool:
        """Offer questions where the platform has a place for them; whether it has."""
        ...
