"""The turn store in Redis: each operation is one function call, in the partition of its conversation.

Over several partitions "longest ready first" holds within each, and partitions that have ready conversations are
served in turn. Sessions, timers and hand-over are each partition's own business, so that a step never needs two.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection
from typing import Any

import orjson

from conversation.busy import Limits, WhenBusy
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.lease import boottime
from conversation.messages import InboundMessage
from conversation.stored import stored_delivery, stored_message
from conversation.stores.port import (
    Admission,
    ClaimLostError,
    SessionLostError,
    Stopped,
    StoreUnavailableError,
)
from conversation.stores.redis import rows
from conversation.stores.redis.batching import Batching
from conversation.stores.redis.connection import Argument
from conversation.stores.redis.dead_letters import RedisDeadLetters
from conversation.stores.redis.house import House
from conversation.stores.redis.partitions import HOME
from conversation.stores.redis.sessions import Session, Sessions
from conversation.stores.retention import Retention
from conversation.turn import Claim, DeadLetter, Delivery, Final, Reason, Repair, Turn


class RedisTurns:
    """``clock`` is for tests; without it time is the server's."""

    def __init__(self, batching: Batching, house: House, clock: Clock | None, retention: Retention) -> None:
        self._batching = batching
        self._retention = retention
        self._house = house
        self._partitions = house.partitions
        self._clock = clock
        self._letters = RedisDeadLetters(batching, house.partitions)
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
            known.setdefault(self._partitions.of(claim.key.bot), []).extend((str(claim.key), claim.epoch))
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
        return tuple(rows.claim(row, session) for reply in replies for row in reply)

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
        limits: Limits,
        when_busy: WhenBusy = "queue",
        refusal: Reason | None = None,
    ) -> Admission:
        partition = await self._house.partition_for(message.key.bot)
        mine = self._sessions.find(session)
        may_claim = may_claim and not (mine and mine.draining)
        reply = await self._call(
            "admit",
            partition,
            session,
            self._sessions.entering(mine, partition) if may_claim else "",
            int(may_claim),
            limits.queued,
            str(message.key),
            message.turn_id,
            refusal or "",
            stored_message.write(message),
            message.key.bot,
            message.person,
            limits.replies,
            limits.per_person,
            "queue" if message.stands_alone else when_busy,
            durable=True,
        )
        if may_claim and mine:
            mine.enter(partition)
        match reply:
            case [b"claimed", at, epoch, agent]:
                turn = Turn(message.turn_id, (message,), float(at), refusal, attempt=1)
                claim = Claim(message.key, turn, epoch, session, agent=agent.decode())
                return Admission("accepted", claim)
            case [b"duplicate"]:
                return Admission("duplicate")
            case [b"queue_full", notice_due]:
                return Admission("queue_full", notice_due=bool(notice_due))
            case [b"queued", *stopped]:
                return Admission("accepted", stopped=rows.stopped(*stopped))
            case _:
                self._partitions.now_ready(partition, 1)
                return Admission("accepted")

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> Stopped | None:
        partition = await self._house.partition_for(key.bot)
        reply = await self._call("stop", partition, str(key), request, repr(asked_at), durable=True)
        return rows.stopped(reply)

    async def take_back(self, bot: str, turn_id: str) -> Stopped | None:
        partition = await self._house.partition_for(bot)
        return rows.stopped(await self._call("take_back", partition, turn_id, durable=True))

    async def edit(self, message: InboundMessage) -> bool:
        partition = await self._house.partition_for(message.key.bot)
        record = stored_message.write(message)
        return bool(
            await self._call(
                "edit", partition, message.turn_id, record, repr(message.edited_at), durable=True
            )
        )

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
        record, final = stored_delivery.write(delivery), delivery.final is not None
        _held(await self._on("checkpoint", claim, record, "1" if final else "", durable=True))

    async def complete(
        self,
        claim: Claim,
        final: Final,
        *,
        keep_turns: int,
        keep_texts: bool = True,
        repair_after: float | None = None,
    ) -> Claim | None:
        partition = self._partitions.of(claim.key.bot)
        hand_over = self._partitions.next_served(also=partition) == partition
        reason = final.outcome.reason or ""
        command = claim.turn.message.command if final.outcome.kind == "obeyed" else None
        reply = _held(
            await self._on(
                "complete",
                claim,
                int(hand_over),
                keep_turns,
                orjson.dumps((claim.turn.question, final.answer)) if final.answer and keep_texts else "",
                reason or final.outcome.kind,
                reason if final.outcome.kind == "dead" else "",
                "" if repair_after is None else repr(repair_after),
                "1" if keep_texts else "",
                command.kind if command else "",
                command.agent if command else "",
                durable=True,
            )
        )
        if reply == b"completed":
            return None
        ready, *claims = reply
        self._partitions.now_ready(partition, ready)
        if claims:
            self._partitions.served(partition)
            return rows.claim(claims[0], claim.session)
        return await self._claim_next(claim.session, but=partition if hand_over else None)

    async def retry(self, claim: Claim, delay: float) -> None:
        _held(await self._on("retry", claim, repr(delay)))

    async def tick(self, limit: int) -> bool:
        """Partition 0 has the heartbeat, and decides for all whether sessions are reaped: not while it is away."""
        await self._house.refresh()
        kept = self._retention
        kept_for = (repr(kept.transcripts), repr(kept.events), repr(kept.audit))
        home = await self._call("tick", HOME, limit, "home", *kept_for)
        elsewhere = [partition for partition in self._partitions.used if partition != HOME]
        reap = "1" if home[2] else ""
        ticks = [self._call("tick", partition, limit, reap, *kept_for) for partition in elsewhere]
        replies = [home, *await asyncio.gather(*map(_unless_away, ticks))]
        for partition, reply in zip((HOME, *elsewhere), replies, strict=True):
            self._partitions.now_ready(partition, reply[1] if reply else 0)
        return any(reply and reply[0] for reply in replies)

    async def due_repairs(self, limit: int) -> tuple[Repair, ...]:
        asked = [self._call("due_repairs", partition, limit) for partition in self._partitions.used]
        replies = await asyncio.gather(*map(_unless_away, asked))
        return tuple(repair for reply in replies for row in reply or () if (repair := rows.repair(row)))

    async def repaired(self, repair: Repair) -> None:
        partition = self._partitions.of(repair.turn.message.key.bot)
        strays = "".join(f"{stray}\n" for stray in repair.strays)
        await self._call("repaired", partition, repair.turn.id, strays)

    async def suspect(self, claim: Claim, after: float, stray: str = "") -> None:
        partition = self._partitions.of(claim.key.bot)
        await self._call(
            "suspect", partition, str(claim.key), claim.turn.id, repr(after), stray, durable=True
        )

    async def epoch_if_idle(self, key: ConversationKey) -> int | None:
        tag = self._partitions.tag(self._partitions.of(key.bot))
        waiting, epoch = await asyncio.gather(
            self._batching.run(tag, "EXISTS", f"{tag}:queue:{key}"),
            self._batching.run(tag, "HGET", f"{tag}:conversation:{key}", "epoch"),
        )
        return None if waiting else int(epoch or 0)

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        return await self._letters.kept()

    async def drop_dead_letter(self, id: str) -> bool:
        return await self._letters.drop(id)

    async def _count_ready(self, session: str) -> None:
        """Ask all partitions in use at once. Raises SessionLostError as ``claim`` does."""
        partitions = self._partitions.used
        counts = [self._call("count_claimable", partition) for partition in partitions]
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
        # Durable: an attempt that was forgotten would be counted anew, and platforms know its numbers.
        reply = await self._call("claim", partition, mine.name, entering, most, durable=most > 0)
        if reply == b"session-lost":
            raise SessionLostError("the session is gone, or its lease has expired: renew it first")
        mine.enter(partition)
        return tuple(rows.claim(row, mine.name) for row in reply)

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
        partition = self._partitions.of(claim.key.bot)
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
