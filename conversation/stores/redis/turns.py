"""The turn store in Redis: each operation is one function call, in the partition of its conversation.

Over several partitions "longest ready first" holds within each, and partitions that have ready conversations are
served in turn. Sessions, timers and hand-over are each partition's own business, so that a step never needs two.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.lease import boottime
from conversation.messages import InboundMessage
from conversation.stored import UnreadableRecordError, stored_delivery, stored_message
from conversation.stores.port import (
    Admission,
    ClaimLostError,
    DeadLetter,
    SessionLostError,
    StoreUnavailableError,
)
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.connection import Argument
from conversation.stores.redis.house import House
from conversation.stores.redis.partitions import HOME
from conversation.stores.redis.sessions import Session, Sessions
from conversation.turn import Claim, Delivery, Final, Reason, Turn


class RedisTurns:
    """``clock`` is for tests; without it time is the server's."""

    def __init__(self, batching: Batching, house: House, clock: Clock | None) -> None:
        self._batching = batching
        self._house = house
        self._partitions = house.partitions
        self._clock = clock
        self._sessions = Sessions(clock.now if clock else boottime)

    async def open_session(self) -> str:
        asked_at = self._sessions.now()
        name = bytes(await self._call("open_session", HOME, secrets.token_hex(6))).decode()
        self._sessions.opened(name, asked_at)
        return name

    async def take_over(self, session: str) -> int:
        self._sessions.known(session)
        await self._house.refresh()
        at_home = await self._call("take_over", HOME, session)
        if at_home == b"session-lost":
            raise self._sessions.lost(session)
        elsewhere = [partition for partition in self._partitions.used if partition != HOME]
        taken = await asyncio.gather(
            *(self._call("take_over_here", partition, session) for partition in elsewhere)
        )
        self._sessions.alone(session)
        return int(at_home + sum(taken))

    async def renew(self, session: str, held: Collection[Claim]) -> tuple[Claim, ...]:
        mine, asked_at = self._sessions.known(session), self._sessions.now()
        known: dict[int, list[str | int]] = {partition: [] for partition in mine.partitions}
        for claim in held:
            known.setdefault(self._partitions.of(claim.key), []).extend((str(claim.key), claim.epoch))
        replies = await asyncio.gather(
            *(
                self._call("renew", partition, session, mine.may_enter(partition), *claims)
                for partition, claims in known.items()
            )
        )
        if b"session-lost" in replies:
            raise self._sessions.lost(session)
        mine.renewed_at = asked_at
        for partition in known:
            mine.enter(partition)
        return await self._readable([row for rows in replies for row in rows], session)

    async def drain(self, session: str) -> None:
        mine = self._sessions.known(session)
        mine.draining = True
        partitions = mine.partitions
        replies = await asyncio.gather(*(self._call("drain", partition, session) for partition in partitions))
        gone = {partition for partition, reply in zip(partitions, replies, strict=True) if reply != b"ok"}
        if gone & mine.entered:
            raise self._sessions.lost(session)

    async def close_session(self, session: str) -> None:
        mine = self._sessions.find(session)
        partitions = mine.partitions if mine else [HOME]
        await asyncio.gather(*(self._call("close_session", partition, session) for partition in partitions))
        self._sessions.closed(session)

    async def admit(
        self,
        message: InboundMessage,
        *,
        session: str,
        may_claim: bool,
        max_queued: int,
        refusal: Reason | None = None,
    ) -> Admission:
        partition = await self._house.partition_for(message.key)
        mine = self._sessions.find(session)
        may_claim = may_claim and not (mine and mine.draining)
        reply = await self._call(
            "admit",
            partition,
            session,
            self._sessions.entering(mine, partition) if may_claim else "",
            int(may_claim),
            max_queued,
            str(message.key),
            message.turn_id,
            refusal or "",
            stored_message.write(message),
            durable=True,
        )
        if may_claim and mine:
            mine.enter(partition)
        match reply:
            case [b"claimed", at, epoch]:
                turn = Turn(message, float(at), refusal, attempt=1)
                return Admission("accepted", Claim(message.key, turn, epoch, session))
            case [b"duplicate"]:
                return Admission("duplicate")
            case [b"queue_full", notice_due]:
                return Admission("queue_full", notice_due=bool(notice_due))
            case [b"ready"]:
                self._partitions.now_ready(partition, 1)
        return Admission("accepted")

    async def claim(self, session: str, most: int) -> tuple[Claim, ...]:
        mine = self._sessions.known(session)
        shares = {HOME: most}
        if self._partitions.used != (HOME,):
            await self._count_ready(session)
            shares = self._partitions.shares(most)
        replies = await asyncio.gather(
            *(self._claim_in(partition, mine, share) for partition, share in shares.items()),
            return_exceptions=True,
        )
        claims = tuple(claim for reply in replies if isinstance(reply, tuple) for claim in reply)
        failures = [reply for reply in replies if isinstance(reply, BaseException)]
        if failures and not claims:  # else what was claimed counts; the rest is asked again soon
            raise failures[0]
        return claims

    async def checkpoint(self, claim: Claim, delivery: Delivery) -> None:
        record = stored_delivery.write(delivery)
        durable = delivery.final is not None
        _held(await self._on("checkpoint", claim, record, durable=durable))

    async def complete(self, claim: Claim, final: Final, *, keep_turns: int) -> Claim | None:
        partition = self._partitions.of(claim.key)
        hand_over = self._partitions.next_served(also=partition) == partition
        reason = final.outcome.reason or ""
        reply = _held(
            await self._on(
                "complete",
                claim,
                int(hand_over),
                keep_turns,
                orjson.dumps((claim.turn.message.text, final.answer)) if final.answer else "",
                reason or final.outcome.kind,
                reason if final.outcome.kind == "dead" else "",
                durable=True,
            )
        )
        if reply == b"completed":
            return None
        ready, *claims = reply
        self._partitions.now_ready(partition, ready)
        if following := await self._readable(claims, claim.session):
            self._partitions.served(partition)
            return following[0]
        return await self._claim_next(claim.session, but=partition if hand_over else None)

    async def retry(self, claim: Claim, delay: float) -> None:
        _held(await self._on("retry", claim, repr(delay)))

    async def release(self, claim: Claim) -> None:
        _held(await self._on("release", claim))
        self._partitions.now_ready(self._partitions.of(claim.key), 1)

    async def tick(self, limit: int) -> bool:
        partitions = self._partitions.used
        ticks = [self._call("tick", partition, limit) for partition in partitions]
        _, *replies = await asyncio.gather(self._house.refresh(), *map(_unless_away, ticks))
        for partition, reply in zip(partitions, replies, strict=True):
            self._partitions.now_ready(partition, reply[1] if reply else 0)
        return any(reply and reply[0] for reply in replies)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        lists = await asyncio.gather(
            *(
                self._batching.run(tag, "LRANGE", f"{tag}:dead", 0, -1)
                for tag in map(self._partitions.tag, self._partitions.used)
            )
        )
        letters = [_dead_letter(row) for rows in lists for row in rows]
        return tuple(sorted(letters, key=lambda letter: letter.at))

    async def _count_ready(self, session: str) -> None:
        """Ask all partitions in use at once. Raises SessionLostError as ``claim`` does."""
        partitions = self._partitions.used
        counts = [
            self._batching.run(tag, "ZCARD", f"{tag}:ready") for tag in map(self._partitions.tag, partitions)
        ]
        known, _, *ready = await asyncio.gather(
            self._call("claim", HOME, session, "", 0), self._house.refresh(), *map(_unless_away, counts)
        )
        if known == b"session-lost":
            raise SessionLostError("the session is gone, or its lease has expired: renew it first")
        for partition, conversations in zip(partitions, ready, strict=True):
            self._partitions.now_ready(partition, conversations or 0)

    async def _claim_in(self, partition: int, mine: Session, most: int) -> tuple[Claim, ...]:
        if mine.draining:
            most = 0
        entering = self._sessions.entering(mine, partition)
        rows = await self._call("claim", partition, mine.name, entering, most)
        if rows == b"session-lost":
            raise SessionLostError("the session is gone, or its lease has expired: renew it first")
        mine.enter(partition)
        return await self._readable(rows, mine.name)

    async def _readable(self, rows: Sequence[Sequence[bytes]], session: str) -> tuple[Claim, ...]:
        """The claims granted. A turn whose message is damaged becomes a dead letter instead."""
        claims = []
        for row in rows:
            try:
                claims.append(_claim(row, session))
            except UnreadableRecordError:
                key, epoch = row[:2]
                partition = self._partitions.of(ConversationKey.parse(key.decode()))
                bury = (0, 1, "", Reason.MALFORMED, Reason.MALFORMED)
                await self._call("complete", partition, session, key, epoch, *bury, durable=True)
        return tuple(claims)

    async def _claim_next(self, session: str, *, but: int | None) -> Claim | None:
        """For a freed slot: the claim of the next partition in turn. Whatever goes wrong, there is a next sweep."""
        mine = self._sessions.find(session)
        if mine is None or mine.draining:
            return None
        while (partition := self._partitions.next_served(but=but)) is not None:
            try:
                claims = await self._claim_in(partition, mine, 1)
            except (SessionLostError, StoreUnavailableError):
                return None
            self._partitions.served(partition)
            if claims:
                return claims[0]
            self._partitions.now_ready(partition, 0)
        return None

    def _call(
        self, function: str, partition: int, *args: Argument, durable: bool = False
    ) -> asyncio.Future[Any]:
        now = repr(self._clock.now()) if self._clock else ""
        return self._batching.call(function, self._partitions.tag(partition), now, *args, durable=durable)

    def _on(self, function: str, claim: Claim, *args: Argument, durable: bool = False) -> asyncio.Future[Any]:
        partition = self._partitions.of(claim.key)
        return self._call(
            function, partition, claim.session, str(claim.key), claim.epoch, *args, durable=durable
        )


async def _unless_away(asked: asyncio.Future[Any]) -> Any:  # as the store answered
    """None where the node is away: a cluster's other partitions go on."""
    try:
        return await asked
    except StoreUnavailableError:
        return None


def _held(reply: object) -> Any:  # as the function answered
    if reply == b"claim-lost":
        raise ClaimLostError("somebody else holds this conversation now")
    return reply


def _claim(row: Sequence[bytes], session: str) -> Claim:
    key, epoch, taken_over_at, attempt, crashes, failures, delivery, head = row
    facts, _, message = head.partition(b"\n")
    _, admitted_at, refusal = facts.split(b" ")
    try:
        reason = Reason(refusal.decode()) if refusal else None
        progress = stored_delivery.read(delivery) if delivery else Delivery()
    except (UnreadableRecordError, ValueError):  # ValueError: a reason that a later version knows
        progress, reason = Delivery(), Reason.MALFORMED
    turn = Turn(
        stored_message.read(message),
        float(admitted_at),
        reason,
        int(attempt),
        int(crashes),
        int(failures),
        progress,
    )
    return Claim(
        ConversationKey.parse(key.decode()),
        turn,
        int(epoch),
        session,
        float(taken_over_at) if taken_over_at else None,
    )


def _dead_letter(row: bytes) -> DeadLetter:
    facts, _, record = row.partition(b"\n")
    key, reason, at = facts.decode().split(" ")
    try:
        message: InboundMessage | None = stored_message.read(record)
    except UnreadableRecordError:
        message = None
    return DeadLetter(ConversationKey.parse(key), message, Reason(reason), float(at))
