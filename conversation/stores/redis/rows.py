"""What the functions answer, as the core knows it."""

from __future__ import annotations

from collections.abc import Sequence

from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.stored import UnreadableRecordError, placeholder, read_messages, stored_delivery
from conversation.stores.port import DeadLetter, Stopped
from conversation.turn import Claim, Delivery, Reason, Repair, Turn


def claim(row: Sequence[bytes], session: str) -> Claim:
    """A turn whose record is damaged, or of a version that this one does not know, is to be refused as that."""
    key, epoch, last_send_at, attempt, crashes, failures, delivery, head = row
    parsed = ConversationKey.parse(key.decode())
    turn_id, admitted_at, refusal, record = _turn(head)
    messages = _readable(record)
    try:
        reason = Reason(refusal) if refusal else None
        progress = stored_delivery.read(delivery) if delivery else Delivery()
    except (UnreadableRecordError, ValueError):  # ValueError: a reason that a later version knows
        progress, reason = Delivery(), Reason.MALFORMED
    turn = Turn(
        turn_id,
        messages or (placeholder(parsed),),
        admitted_at,
        reason if messages else Reason.MALFORMED,
        int(attempt),
        int(crashes),
        int(failures),
        progress,
    )
    return Claim(parsed, turn, int(epoch), session, float(last_send_at) if last_send_at else None)


def stopped(row: Sequence[bytes] | None = None) -> Stopped | None:
    if row is None:
        return None
    key, epoch, session, reason = (text.decode() for text in row)
    return Stopped(ConversationKey.parse(key), int(epoch), session, Reason(reason))


def repair(row: Sequence[bytes]) -> Repair | None:
    """None where it cannot be read what was shown."""
    head, attempt, delivery, strays = row
    turn_id, admitted_at, _, record = _turn(head)
    messages = _readable(record)
    try:
        progress = stored_delivery.read(delivery)
    except UnreadableRecordError:
        return None
    if not messages:
        return None
    turn = Turn(turn_id, messages, admitted_at, attempt=int(attempt), delivery=progress)
    return Repair(turn, tuple(strays.decode().splitlines()))


def dead_letter(row: bytes) -> DeadLetter:
    facts, _, record = row.partition(b"\n")
    turn_id, key, reason, at = facts.decode().split(" ")
    return DeadLetter(turn_id, ConversationKey.parse(key), _readable(record), Reason(reason), float(at))


def _turn(head: bytes) -> tuple[str, float, str, bytes]:
    """Id, time of admission, refusal and record of a turn as it stands in the queue."""
    facts, _, record = head.partition(b"\n")
    turn_id, admitted_at, refusal, _ = facts.decode().split(" ")
    return turn_id, float(admitted_at), refusal, record


def _readable(record: bytes) -> tuple[InboundMessage, ...]:
    try:
        return read_messages(record)
    except UnreadableRecordError:
        return ()
