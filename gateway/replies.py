"""The texts of replies in flight, whichever replica writes them.

Those of this process are at hand. A replica tells the others its own once a second, and only while somebody watches
at one of them: watchers and texts are records, which are taken away when nobody watches any more.

Invariant: replicas' clocks are not compared; a record is fresh as long as it changes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from conversation.clock import Clock
from conversation.in_flight import InFlight, Reply
from conversation.keys import ConversationKey, MalformedKeyError
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, RecordConflictError, Records

WATCH, LIVE = "watch", "live"

EVERY = 1.0
"""Seconds between two tellings."""

FRESH_FOR = 5.0
"""Seconds for which a record that does not change is believed: its process may be slow, or the store away."""

MOST_REPLIES = 200
"""Of one replica that are told; no lane shows more."""

LONGEST = 20_000
"""Characters of one reply that are told: its end."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Watching:
    at: float


@dataclass(frozen=True, slots=True)
class _Told:
    key: str
    turn: str
    text: str
    since: float


@dataclass(frozen=True, slots=True)
class _Texts:
    at: float
    replies: tuple[_Told, ...]


_watching = Stored("turnkeeper.watch.v1", _Watching)
_texts = Stored("turnkeeper.live.v1", _Texts)


class _Fresh:
    """Which records of other processes still change."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def among(self, records: tuple[Record, ...], now: float) -> list[Record]:
        before, self._seen = self._seen, {}
        for record in records:
            version, since = before.get(record.id, (0, now))
            self._seen[record.id] = (record.version, since if version == record.version else now)
        return [record for record in records if now - self._seen[record.id][1] < FRESH_FOR]


class Replies:
    """``alone``: no second process can have this store open, so there is nobody to tell."""

    def __init__(self, in_flight: InFlight, records: Records, clock: Clock, *, alone: bool) -> None:
        self._in_flight = in_flight
        self._records = records
        self._clock = clock
        self._alone = alone
        self._id = secrets.token_hex(8)
        self._watchers = 0
        self._elsewhere: dict[ConversationKey, Reply] = {}
        self._fresh_watchers, self._fresh_texts = _Fresh(), _Fresh()
        self._watch_revision = -1
        self._watched = False
        self._written: set[str] = set()

    def of(self, key: ConversationKey) -> Reply | None:
        """Of another replica only while somebody here is ``watching``, and up to two seconds late."""
        return self._in_flight.of(key) or self._elsewhere.get(key)

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def run(self) -> None:
        """Tell and listen, until cancelled."""
        while True:
            if not self._alone:
                try:
                    await self.exchange()
                except StoreUnavailableError as error:
                    _log.warning("store unavailable", cause=str(error))
            await asyncio.sleep(EVERY)

    async def exchange(self) -> None:
        """One round. Raises StoreUnavailableError."""
        now = asyncio.get_running_loop().time()
        if self._watchers:
            await self._write(WATCH, _watching.write(_Watching(self._clock.now())))
            self._elsewhere = await self._listen(now)
        elif WATCH in self._written:
            await self._take_away(WATCH)
            self._elsewhere = {}
        if await self._watched_elsewhere(now):
            await self._write(LIVE, _texts.write(_Texts(self._clock.now(), self._own())))
        elif LIVE in self._written:
            await self._take_away(LIVE)

    def _own(self) -> tuple[_Told, ...]:
        """Bots that keep no texts keep none here either."""
        told = [
            _Told(str(key), reply.turn_id, reply.text[-LONGEST:], reply.since)
            for key, reply in self._in_flight.all().items()
            if reply.kept
        ]
        return tuple(told[:MOST_REPLIES])

    async def _listen(self, now: float) -> dict[ConversationKey, Reply]:
        found: dict[ConversationKey, Reply] = {}
        for record in self._fresh_texts.among(await self._others(LIVE), now):
            try:
                for told in _texts.read(record.document).replies:
                    reply = Reply(told.turn, told.text, told.since, kept=True)
                    found[ConversationKey.parse(told.key)] = reply
            except (UnreadableRecordError, MalformedKeyError):  # of another version
                continue
        return found

    async def _watched_elsewhere(self, now: float) -> bool:
        revision = await self._records.revision(WATCH)
        if revision != self._watch_revision or self._watched:  # else nobody began to watch
            self._watched = bool(self._fresh_watchers.among(await self._others(WATCH), now))
            self._watch_revision = revision
        return self._watched

    async def _others(self, kind: str) -> tuple[Record, ...]:
        return tuple(record for record in await self._records.all(kind) if record.id != self._id)

    async def _write(self, kind: str, document: bytes) -> None:
        record = await self._records.get(kind, self._id)
        try:
            await self._records.put(kind, self._id, document, expected=record.version if record else 0)
        except RecordConflictError:
            return  # a janitor was quicker; there is a next round
        self._written.add(kind)

    async def _take_away(self, kind: str) -> None:
        record = await self._records.get(kind, self._id)
        if record is not None:
            try:
                await self._records.delete(kind, self._id, expected=record.version)
            except RecordConflictError:
                return
        self._written.discard(kind)
