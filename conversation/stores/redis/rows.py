"""What the functions answer, as the core knows it."""

from __future__ import annotations

from collections.abc import Sequence

from conversation.keys import ConversationKey
from conversation.stored import known_reason, read_repair, read_turn, readable
from conversation.stores.port import Stopped
from conversation.turn import Claim, DeadLetter, Reason, Repair


def claim(row: Sequence[bytes], session: str) -> Claim:
    key, epoch, last_send_at, attempt, crashes, failures, delivery, head = row
    parsed = ConversationKey.parse(key.decode())
    turn_id, admitted_at, refusal, record = _turn(head)
    turn = read_turn(
        parsed,
        turn_id,
        record,
        admitted_at,
        refusal,
        int(attempt),
        int(crashes),
        int(failures),
        delivery,
    )
    return Claim(parsed, turn, int(epoch), session, float(last_send_at) if last_send_at else None)


def stopped(row: Sequence[bytes] | None = None) -> Stopped | None:
    if row is None:
        return None
    key, epoch, session, reason = (text.decode() for text in row)
    return Stopped(ConversationKey.parse(key), int(epoch), session, Reason(reason))


def repair(row: Sequence[bytes]) -> Repair | None:
    head, attempt, delivery, strays = row
    turn_id, admitted_at, _, record = _turn(head)
    return read_repair(turn_id, record, admitted_at, int(attempt), delivery, strays.decode())


def dead_letter(row: bytes) -> DeadLetter:
    facts, _, record = row.partition(b"\n")
    turn_id, key, reason, at = facts.decode().split(" ")
    return DeadLetter(turn_id, ConversationKey.parse(key), readable(record), known_reason(reason), float(at))


def _turn(head: bytes) -> tuple[str, float, str, bytes]:
    """Id, time of admission, refusal and record of a turn as it stands in the queue."""
    facts, _, record = head.partition(b"\n")
    turn_id, admitted_at, refusal, _ = facts.decode().split(" ")
    return turn_id, float(admitted_at), refusal, record
