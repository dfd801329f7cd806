"""Dead letters: to look at them, to answer them after all, to forget them. For the API and for the terminal.

Invariants:

- only ``show`` gives what a person wrote, and only to who may read texts;
- a letter is dropped only once its messages are durable in their conversation's queue again;
- a retry that is repeated, after a crash or by two admins at once, is one turn: its identity is made of the letter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.port import Admission, TurnStore
from conversation.turn import DeadLetter
from gateway.admin.access import Permission, Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, UnknownError
from gateway.admin.paging import Page, paged

UNBOUNDED = 1_000_000_000
"""Turns that may wait before a retried one. A full queue would refuse it and know its identity from then on: the next
retry would count as a duplicate, and the letter be lost."""

Admit = Callable[[InboundMessage, Limits], Awaitable[Admission]]
"""Puts a message into its conversation's queue. Raises StoreUnavailableError."""


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
    """A dead letter with what was written, oldest message first; None for who may not read texts."""

    messages: tuple[Written, ...] | None = None


class Retried(_Model):
    """What became of a letter: the ``turn`` that answers it, with the ``reference`` of that."""

    id: str
    turn: str
    reference: str


class DeadLetters:
    """``limits`` gives those of a bot that can answer, by channel and bot id.

    A letter of a bot that the caller does not see is none.
    """

    def __init__(
        self, turns: TurnStore, admit: Admit, limits: Callable[[str, str], Limits | None], audit: Audit
    ) -> None:
        self._turns = turns
        self._admit = admit
        self._limits = limits
        self._audit = audit

    async def page(self, who: Principal, *, cursor: str | None, limit: int) -> Page[Summary]:
        """Oldest first. Raises NotAllowedError, and InvalidError for a cursor of something else."""
        who.check(Permission.READ)
        seen = [letter for letter in await self._turns.dead_letters() if who.sees(letter.key.bot)]
        page = paged("dead-letters", seen, lambda letter: (letter.at, letter.id), cursor, limit)
        return Page[Summary](items=tuple(Summary.of(letter) for letter in page.items), next=page.next)

    async def show(self, who: Principal, id: str) -> Letter:
        """Raises UnknownError."""
        letter = await self._find(who, id)
        who.check(Permission.READ, letter.key.bot)
        if not who.may(Permission.READ_TEXTS, letter.key.bot):
            return Letter.of(letter)
        written = tuple(
            Written(
                sender=message.sender.id,
                sent_at=datetime.fromtimestamp(message.sent_at, UTC),
                text=message.text,
            )
            for message in letter.messages
        )
        return Letter.of(letter).model_copy(update={"messages": written})

    async def retry(self, who: Principal, id: str) -> Retried:
        """Queue the letter's messages again, as one turn behind those that wait, and drop the letter.

        Its age does not matter. Repeated within 24 hours it is the same turn. Raises UnknownError, NotAllowedError,
        and ConflictError if it cannot be answered.
        """
        letter = await self._find(who, id)
        key = letter.key
        who.check(Permission.OPERATE, key.bot)
        if not letter.messages:
            raise ConflictError(
                "its record is damaged, or was written by a later version of Turnkeeper: there is nothing to answer;"
                " drop it, or retry it with that version"
            )
        limits = self._limits(key.channel, key.bot)
        if limits is None:
            raise ConflictError(
                f"no bot {key.bot!r} of {key.channel} can answer it; put it into the configuration, enabled and with"
                " credentials, or drop the letter"
            )
        message = _again(letter)
        admission = await self._admit(message, replace(limits, queued=UNBOUNDED))
        assert admission.status != "queue_full"
        await self._turns.drop_dead_letter(id)
        await self._audit.record(who, "dead-letter.retried", f"dead-letter/{id}", f"turn {message.turn_id}")
        return Retried(id=id, turn=message.turn_id, reference=message.turn_id[:8])

    async def drop(self, who: Principal, id: str) -> None:
        """Raises UnknownError and NotAllowedError."""
        letter = await self._find(who, id)
        who.check(Permission.OPERATE, letter.key.bot)
        if not await self._turns.drop_dead_letter(id):
            raise _unknown(id)
        await self._audit.record(who, "dead-letter.dropped", f"dead-letter/{id}")

    async def _find(self, who: Principal, id: str) -> DeadLetter:
        for letter in await self._turns.dead_letters():
            if letter.id == id and who.sees(letter.key.bot):
                return letter
        raise _unknown(id)


def _again(letter: DeadLetter) -> InboundMessage:
    """One message, because several could not be admitted in one step. A new identity, because parts of an answer are
    found by the turn's id, and Lark refuses a second send with it.
    """
    text = "\n\n".join(message.text for message in letter.messages)
    return replace(letter.messages[-1], identity=f"{letter.id}#again", text=text)


def _unknown(id: str) -> UnknownError:
    return UnknownError(f"there is no dead letter {id!r}; list shows those that there are")
