"""What the functions answer, as the core knows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conversation.keys import ConversationKey
from conversation.stored import known_reason, read_repair, read_turn, readable
from conversation.stores.conversations import ConversationState, State
from conversation.stores.port import Stopped
from conversation.stores.transcripts import Said
from conversation.turn import Claim, DeadLetter, Reason, Repair, Turn


def claim(row: Sequence[bytes], session: str) -> Claim:
    key, epoch, last_send_at, attempt, crashes, failures, delivery, agent, head = row
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
    sent_at = float(last_send_at) if last_send_at else None
    return Claim(parsed, turn, int(epoch), session, sent_at, agent.decode())


def turns(
    key: ConversationKey,
    attempt: bytes,
    crashes: bytes,
    failures: bytes,
    delivery: bytes,
    queued: Sequence[bytes],
) -> tuple[Turn, ...]:
    """Turns as they stand in the queue; what is counted belongs to the head."""
    found = []
    for place, turn in enumerate(queued):
        turn_id, admitted_at, refusal, record = _turn(turn)
        counted = (int(attempt), int(crashes), int(failures), delivery) if place == 0 else (0, 0, 0, None)
        found.append(read_turn(key, turn_id, record, admitted_at, refusal, *counted))
    return tuple(found)


def conversation(row: Sequence[Any]) -> ConversationState:
    key, active_at, turns, owner, due_at, agent = row
    state: State = "ready"
    if not turns:
        state = "idle"
    elif owner:
        state = "running"
    elif due_at:
        state = "backing_off"
    parsed = ConversationKey.parse(key.decode())
    return ConversationState(parsed, state, turns, float(active_at), agent.decode(), owner.decode())


def said(element: bytes) -> Said:
    facts, _, texts = element.partition(b"\n")
    turn_id, person, at = facts.decode().split(" ")
    question, answer = orjson.loads(texts)
    return Said(turn_id, person, float(at), question, answer)


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
    turn_id, key, reason, at, person = facts.decode().split(" ")
    parsed = ConversationKey.parse(key)
    return DeadLetter(turn_id, parsed, person, readable(record), known_reason(reason), float(at))


def _turn(head: bytes) -> tuple[str, float, str, bytes]:
    """Id, time of admission, refusal and record of a turn as it stands in the queue."""
    facts, _, record = head.partition(b"\n")
    turn_id, admitted_at, refusal, _ = facts.decode().split(" ")
    return turn_id, float(admitted_at), refusal, record
