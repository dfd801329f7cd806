"""Questions whose reply failed, kept so that their person can have them asked again with one click.

Invariants:

- a question is kept before its button is shown, so that whoever sees the button can use it;
- asking again is a message with an identity of its own, made from the old one: of any number of clicks, in any
  process, one is admitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from conversation.clock import Clock
from conversation.messages import InboundMessage
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import RecordConflictError, Records
from conversation.turn import Delivery, Final, Turn

KIND = "retry"

KEPT_FOR = 23 * 3600.0
"""Seconds for which a failed question is kept: less than the 24 hours for which a second click is recognised."""

_TRIES = 5


@dataclass(frozen=True, slots=True)
class FailedReply:
    """A question that can be asked again, and the part of its failed reply that has the button."""

    question: InboundMessage
    turn: str
    part: int
    ref: str
    text: str
    attempt: int
    at: float

    def again(self, now: float) -> InboundMessage:
        """The question as a new message."""
        return replace(self.question, identity=f"{self.question.identity}\x1fagain", sent_at=now)


stored_failed_reply = Stored("turnkeeper.retry.v1", FailedReply)


class Retries:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def keep(self, turn: Turn, delivery: Delivery, final: Final) -> None:
        """Keep the question of a turn whose final texts are shown. Raises StoreUnavailableError."""
        last = len(final.texts) - 1
        failed = FailedReply(
            question=replace(
                turn.message,
                text=turn.words,
                attachments=tuple(file for message in turn.messages for file in message.attachments),
            ),
            turn=turn.id,
            part=last,
            ref=delivery.ref(last) or "",
            text=final.texts[last],
            attempt=turn.attempt,
            at=self._clock.now(),
        )
        document = stored_failed_reply.write(failed)
        for _ in range(_TRIES):
            record = await self._records.get(KIND, turn.id)
            try:
                await self._records.put(KIND, turn.id, document, expected=record.version if record else 0)
            except RecordConflictError:
                continue  # an attempt that was taken over wrote it too
            return

    async def find(self, turn_id: str) -> FailedReply | None:
        """None if it was forgotten. Raises StoreUnavailableError."""
        record = await self._records.get(KIND, turn_id)
        if record is None:
            return None
        try:
            return stored_failed_reply.read(record.document)
        except UnreadableRecordError:
            return None

    async def of_persons(self, persons: Mapping[str, str], *, forget: bool) -> tuple[FailedReply, ...]:
        """What is kept of these people (bot by person, as InboundMessage.person); with ``forget``, for the last time.
        Raises StoreUnavailableError.
        """
        found = []
        for record in await self._records.all(KIND):
            try:
                failed = stored_failed_reply.read(record.document)
            except UnreadableRecordError:
                continue
            if persons.get(failed.question.person) != failed.question.key.bot:
                continue
            found.append(failed)
            if forget:
                try:
                    await self._records.delete(KIND, record.id, expected=record.version)
                except RecordConflictError:
                    continue  # the janitor was faster
        return tuple(found)
