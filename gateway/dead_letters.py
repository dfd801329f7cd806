"""Dead letters: to look at them, to answer them after all, to forget them. For the API and for the terminal.

Invariants:

- only ``show`` gives what a person wrote;
- a letter is dropped only once its messages are durable in their conversation's queue again;
- a retry that is repeated, after a crash or by two admins at once, is one turn: its identity is made of the letter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.port import Admission, TurnStore
from conversation.turn import DeadLetter

UNBOUNDED = 1_000_000_000
"""Turns that may wait before a retried one. A full queue would refuse it and know its identity from then on: the next
retry would count as a duplicate, and the letter be lost."""

Admit = Callable[[InboundMessage, Limits], Awaitable[Admission]]
"""Puts a message into its conversation's queue. Raises StoreUnavailableError."""


class UnknownLetterError(Exception):
    """There is no dead letter with this id (any more)."""


class NotRetryableError(Exception):
    """The letter stays as it is; the text says why, and what to do about it."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Summary(_Model):
    """A dead letter without what was written. ``readable`` is False where its record is damaged, or was written by a
    later version. ``reference`` is what the person was shown.
    """

    id: str
    reference: str
    conversation: str
    channel: str
    bot: str
    reason: str
    at: datetime
    readable: bool

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        return cls(
            id=letter.id,
            reference=letter.id[:8],
            conversation=str(letter.key),
            channel=letter.key.channel,
            bot=letter.key.bot,
            reason=letter.reason,
            at=datetime.fromtimestamp(letter.at, UTC),
            readable=bool(letter.messages),
        )


class Written(_Model):
    """One message of a letter. ``sender`` is the platform's id of the person."""

    sender: str
    sent_at: datetime
    text: str


class Letter(Summary):
    """A dead letter with what was written, oldest message first."""

    messages: tuple[Written, ...] = ()


class Retried(_Model):
    """What became of a letter: the ``turn`` that answers it, with the ``reference`` of that."""

    id: str
    turn: str
    reference: str


class DeadLetters:
    """``limits`` of each bot that can answer, by channel and bot id."""

    def __init__(self, turns: TurnStore, admit: Admit, limits: Mapping[tuple[str, str], Limits]) -> None:
        self._turns = turns
        self._admit = admit
        self._limits = limits

    async def all(self) -> tuple[Summary, ...]:
        """Oldest first."""
        return tuple(Summary.of(letter) for letter in await self._turns.dead_letters())

    async def show(self, id: str) -> Letter:
        """Raises UnknownLetterError."""
        letter = await self._find(id)
        written = tuple(
            Written(
                sender=message.sender.id,
                sent_at=datetime.fromtimestamp(message.sent_at, UTC),
                text=message.text,
            )
            for message in letter.messages
        )
        return Letter.of(letter).model_copy(update={"messages": written})

    async def retry(self, id: str) -> Retried:
        """Queue the letter's messages again, as one turn behind those that wait, and drop the letter.

        Its age does not matter. Repeated within 24 hours it is the same turn. Raises UnknownLetterError and
        NotRetryableError.
        """
        letter = await self._find(id)
        key = letter.key
        if not letter.messages:
            raise NotRetryableError(
                "its record is damaged, or was written by a later version of Turnkeeper: there is nothing to answer;"
                " drop it, or retry it with that version"
            )
        limits = self._limits.get((key.channel, key.bot))
        if limits is None:
            raise NotRetryableError(
                f"no bot {key.bot!r} of {key.channel} can answer it; put it into the configuration, enabled and with"
                " credentials, or drop the letter"
            )
        message = _again(letter)
        admission = await self._admit(message, replace(limits, queued=UNBOUNDED))
        assert admission.status != "queue_full"
        await self._turns.drop_dead_letter(id)
        return Retried(id=id, turn=message.turn_id, reference=message.turn_id[:8])

    async def drop(self, id: str) -> None:
        """Raises UnknownLetterError."""
        if not await self._turns.drop_dead_letter(id):
            raise _unknown(id)

    async def _find(self, id: str) -> DeadLetter:
        for letter in await self._turns.dead_letters():
            if letter.id == id:
                return letter
        raise _unknown(id)


def _again(letter: DeadLetter) -> InboundMessage:
    """One message, because several could not be admitted in one step. A new identity, because parts of an answer are
    found by the turn's id, and Lark refuses a second send with it.
    """
    text = "\n\n".join(message.text for message in letter.messages)
    return replace(letter.messages[-1], identity=f"{letter.id}#again", text=text)


def _unknown(id: str) -> UnknownLetterError:
    return UnknownLetterError(f"there is no dead letter {id!r}; list shows those that there are")
