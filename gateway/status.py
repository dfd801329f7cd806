"""How each bot fares: counted in every process, added up in the store, so that all replicas show the same.

Invariants:

- counting costs an event next to nothing and never fails: it is written down later;
- a process adds what it counted since it last did; only where the store's answer is lost may it be added twice;
- no text, no person and no secret is counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from channels.port import Channel
from conversation.clock import Clock
from conversation.stored import UnreadableRecordError
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, RecordConflictError, Records
from conversation.turn import Claim, Final
from gateway.tally import HOUR, Tally, bucket, stored_tally
from gateway.verdict import What

KIND = "status"

ADD_EVERY = 2.0
"""Seconds after which what was counted is in the store."""

TROUBLES = frozenset({"app_rate_limited", "tokens_revoked", "app_uninstalled"})
"""What a platform tells of a bot that its admin should see, among the reasons for which an event is ignored."""

_TRIES = 20
"""As many replicas may add to one record at the same moment."""

_log = structlog.get_logger()


@dataclass(slots=True)
class _Counting:
    """Since it was last added up. Of a bot on a platform."""

    challenge_at: float = 0.0
    first_event_at: float = 0.0
    last_event_at: float = 0.0
    last_error_at: float = 0.0
    last_error: str = ""
    acks: dict[str, int] = field(default_factory=dict)
    replies: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    slowness: dict[int, dict[int, int]] = field(default_factory=dict)

    def error(self, name: str, at: float) -> None:
        self.last_error, self.last_error_at = name, at

    def tally(self, seen_events: frozenset[str], now: float) -> Tally:
        return Tally(
            challenge_at=self.challenge_at,
            first_event_at=self.first_event_at,
            last_event_at=self.last_event_at,
            last_error_at=self.last_error_at,
            last_error=self.last_error,
            acks=dict(self.acks),
            replies=dict(self.replies),
            notices=dict(self.notices),
            rejected=dict(self.rejected),
            ignored=dict(self.ignored),
            seen_events=tuple(sorted(seen_events)),
            slowness={of: dict(durations) for of, durations in self.slowness.items()},
            changed_at=now,
        )


class StatusBook:
    """``conversation.observer.Observer`` and ``gateway.observers.Watcher``. ``channels``: of the bots on platforms,
    by id, as they are now.
    """

    def __init__(self, records: Records, clock: Clock, channels: Callable[[], Mapping[str, Channel]]) -> None:
        self._records = records
        self._clock = clock
        self._channels = channels
        self._counting: dict[str, _Counting] = {}
        self._unsent: dict[str, Tally] = {}
        """By bot: what is on its way into the store, or could not be written yet."""
        self._known: set[str] = set()

    def answered(
        self,
        channel: str,  # noqa: ARG002 - the port's signature
        bot: str,
        what: What,
        reason: str,
        seconds: float,
    ) -> None:
        """As ``gateway.observers.Watcher``."""
        now = self._clock.now()
        count = self._counting.get(bot) or self._of(bot)
        acks, durations = count.acks, count.slowness.get(of := int(now // HOUR))
        if durations is None:
            durations = count.slowness[of] = {}
        duration = bucket(seconds)
        durations[duration] = durations.get(duration, 0) + 1
        acks[what] = acks.get(what, 0) + 1
        if what == "challenge":
            count.challenge_at = now
        elif what == "rejected":
            count.rejected[reason] += 1
            count.error(f"rejected:{reason}", now)
        elif what == "unavailable":
            count.error("store_unavailable", now)
        else:
            count.first_event_at = count.first_event_at or now
            count.last_event_at = now
            if what == "ignored":
                count.ignored[reason] += 1
                if reason in TROUBLES:
                    count.error(reason, now)

    def turn_completed(
        self,
        claim: Claim,
        final: Final,
        waited: float,  # noqa: ARG002 - the port's signature
        ran: float,  # noqa: ARG002
    ) -> None:
        bot, outcome = claim.key.bot, final.outcome
        if "~" in bot:  # a hidden one
            return
        count = self._of(bot)
        count.replies[outcome.kind] += 1
        if outcome.reason is not None:
            count.notices[outcome.reason] += 1
            if outcome.kind in ("failed", "dead"):
                count.error(str(outcome.reason), self._clock.now())

    def text_shown(self, claim: Claim, seconds: float) -> None:
        """Not counted."""

    def turn_put_back(self, claim: Claim) -> None:
        if "~" not in claim.key.bot:
            self._of(claim.key.bot).error("put_back", self._clock.now())

    async def tally(self, bot: str) -> Tally:
        """All that was counted of a bot, in every process, but for the last seconds of others."""
        record = await self._records.get(KIND, bot)
        return self._counted(bot).plus(_read(record))

    async def run(self) -> None:
        """Add up what was counted, until cancelled; then once more."""
        try:
            while True:
                await asyncio.sleep(ADD_EVERY)
                try:
                    await self.add_up()
                except StoreUnavailableError as error:
                    _log.warning("store unavailable", cause=str(error))
        finally:
            try:
                async with asyncio.timeout(1):
                    await self.add_up()
            except (StoreUnavailableError, TimeoutError) as error:
                _log.warning("store unavailable", cause=str(error))

    async def add_up(self) -> None:
        """Raises StoreUnavailableError; then what was counted is kept for the next time."""
        bots = set(self._channels())
        for gone in self._known - bots:
            self._counting.pop(gone, None)
            self._unsent.pop(gone, None)
            await self._forget(gone)
        self._known = bots
        for bot in {*self._counting, *self._unsent}:
            await self._add(bot)

    async def _add(self, bot: str) -> None:
        counted = self._unsent[bot] = self._counted(bot)
        self._counting.pop(bot, None)  # what is counted from now on is for the next time
        for _ in range(_TRIES):
            record = await self._records.get(KIND, bot)
            document = stored_tally.write(_read(record).plus(counted))
            try:
                await self._records.put(KIND, bot, document, expected=record.version if record else 0)
            except RecordConflictError:
                continue
            del self._unsent[bot]
            return

    async def _forget(self, bot: str) -> None:
        """A bot that was removed: a later one of its name begins anew. One that is only not in force stays."""
        record = await self._records.get(KIND, bot)
        if record is not None and await self._records.get("bot", bot) is None:
            try:
                await self._records.delete(KIND, bot, expected=record.version)
            except RecordConflictError:
                return  # another process has a last word about it, or has forgotten it

    def _of(self, bot: str) -> _Counting:
        count = self._counting.get(bot)
        if count is None:
            count = self._counting[bot] = _Counting()
        return count

    def _counted(self, bot: str) -> Tally:
        """What is not in the store yet, as far as is known."""
        channel, counting = self._channels().get(bot), self._counting.get(bot)
        seen = frozenset[str]() if channel is None else channel.seen_events
        counted = self._unsent.get(bot, Tally(seen_events=tuple(sorted(seen))))
        return counted if counting is None else counted.plus(counting.tally(seen, self._clock.now()))


def _read(record: Record | None) -> Tally:
    """Counting begins anew where another version wrote."""
    if record is None:
        return Tally()
    try:
        return stored_tally.read(record.document)
    except UnreadableRecordError:
        return Tally()
