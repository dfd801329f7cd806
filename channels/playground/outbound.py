"""``conversation.outbound.Outbound`` whose platform is the records store: one record for each part.

Invariants:

- a part's id names its record, and a record is made once: a part that is opened again is found, not doubled;
- every write is made to the version that its writer last saw, and no attempt writes over a later one: a write that
  arrives late changes nothing;
- partial texts are paced, the final one is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from channels.markdown import cut, steady
from channels.playground.part import KIND, Part, part_record, read_part, stored_part
from conversation import lease
from conversation.clock import Clock
from conversation.controls import Controls
from conversation.outbound import (
    SEND_TIMEOUT,
    DeliveryDelayedError,
    DeliveryRefusedError,
    DeliveryUnknownError,
    LivePart,
    PartRequest,
    ShownPart,
)
from conversation.steps import Step, at_work
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, RecordConflictError, Records

PART_BYTES = 16_000
"""UTF-8 bytes of one part, all of which are written at each change."""

INTERVAL = 0.2
"""Seconds between two partial texts of one part: as often as an eye takes notice."""

_TRANSIENT_DELAY = 1.0
"""Seconds after which a store that was away is asked again."""

_TRIES = 5
"""Writes of one part are never concurrent but for those of an attempt that is over."""


class PlaygroundOutbound:
    """Of one (hidden) bot."""

    def __init__(self, bot: str, records: Records, clock: Clock) -> None:
        self._bot = bot
        self._records = records
        self._clock = clock

    @property
    def courtesies(self) -> None:
        return

    @property
    def streams(self) -> Literal[True]:
        return True

    @property
    def opens_early(self) -> Literal[True]:
        """That an answer is on its way is seen by a part without text."""
        return True

    @property
    def fate_known_after(self) -> float:
        return SEND_TIMEOUT

    @property
    def repair_after(self) -> None:
        """A write that is late finds another version than it expects."""
        return

    def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
        return cut(text, PART_BYTES, shown=shown)

    def steady(self, text: str, shown: int) -> int:
        return steady(text, PART_BYTES, shown=shown)

    async def open(self, part: PartRequest, text: str) -> LivePart:
        try:
            return await self._take_hold(part, text)
        except StoreUnavailableError as error:
            raise DeliveryUnknownError(f"playground: {error}") from None

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        """``ref`` is the record's id, which the part's id tells too."""
        if ref != self._id(part):
            raise DeliveryRefusedError("the stored ref of a part is not one of ours")
        try:
            return await self._take_hold(part, None)
        except StoreUnavailableError as error:
            raise DeliveryDelayedError(f"playground: {error}", _TRANSIENT_DELAY) from None

    async def find(self, part: PartRequest) -> str | None:
        try:
            return self._id(part) if await self._get(part) is not None else None
        except StoreUnavailableError as error:
            raise DeliveryDelayedError(f"playground: {error}", _TRANSIENT_DELAY) from None

    async def remove(self, part: PartRequest, ref: str) -> None:  # noqa: ARG002 - the port's signature
        try:
            for _ in range(_TRIES):
                record = await self._get(part)
                if record is None:
                    return
                _check_attempt(part, read_part(record))
                await lease.before_write(SEND_TIMEOUT)
                try:
                    async with asyncio.timeout(SEND_TIMEOUT):
                        await self._records.delete(KIND, record.id, expected=record.version)
                except RecordConflictError:
                    continue
                return
        except (StoreUnavailableError, TimeoutError) as error:
            raise DeliveryDelayedError(f"playground: {error}", _TRANSIENT_DELAY) from None
        raise _contended()

    async def repair(
        self,
        parts: Sequence[ShownPart],  # noqa: ARG002 - the port's signature, here and below
        strays: Sequence[str],  # noqa: ARG002
        quiet: Callable[[], Awaitable[int | None]],  # noqa: ARG002
    ) -> bool:
        """Never needed, see ``repair_after``."""
        return True

    async def _take_hold(self, part: PartRequest, text: str | None) -> LivePart:
        """Write to the record, which ends all writing of earlier attempts. ``text`` None: what it shows stays."""
        for _ in range(_TRIES):
            record = await self._get(part)
            known = read_part(record)
            _check_attempt(part, known)
            shown = text if text is not None else known.text if known else ""
            written = Part(shown, True, part.to.message, part.attempt, self._clock.now())
            try:
                version = await self._put(part, written, record.version if record else 0)
            except RecordConflictError:
                continue
            await part.save(self._id(part))
            return _PlaygroundPart(self, part, shown, version)
        raise _contended()

    async def write(self, part: PartRequest, text: str, version: int, *, growing: bool) -> int:
        """Replace the part at this version; the version that it has then.

        Raises DeliveryDelayedError. A write of ours whose answer was lost raised the version too: then it is looked
        up, as long as no later attempt has written.
        """
        written = Part(text, growing, part.to.message, part.attempt, self._clock.now())
        try:
            for _ in range(_TRIES):
                try:
                    return await self._put(part, written, version)
                except RecordConflictError:
                    record = await self._get(part)
                _check_attempt(part, read_part(record))
                version = record.version if record else 0
        except StoreUnavailableError as error:
            raise DeliveryDelayedError(f"playground: {error}", _TRANSIENT_DELAY) from None
        raise _contended()

    async def _put(self, part: PartRequest, written: Part, version: int) -> int:
        """Raises RecordConflictError and StoreUnavailableError."""
        await lease.before_write(SEND_TIMEOUT)
        document = stored_part.write(written)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                record = await self._records.put(KIND, self._id(part), document, expected=version)
        except TimeoutError:
            raise StoreUnavailableError("no answer in time") from None
        return record.version

    async def _get(self, part: PartRequest) -> Record | None:
        return await self._records.get(KIND, self._id(part))

    def _id(self, part: PartRequest) -> str:
        return part_record(self._bot, part.to.chat, part.id)


class _PlaygroundPart:
    """A LivePart."""

    def __init__(self, outbound: PlaygroundOutbound, part: PartRequest, shown: str, version: int) -> None:
        self._outbound = outbound
        self._part = part
        self._shown = shown
        self._version = version
        self._shown_at = asyncio.get_running_loop().time()
        self._at_work = ""

    def working(self, steps: Sequence[Step]) -> None:
        self._at_work = at_work(steps)

    async def pace(self) -> None:
        if self._shown:  # the first text is shown at once
            await asyncio.sleep(self._shown_at + INTERVAL - asyncio.get_running_loop().time())

    async def show(self, text: str) -> None:
        text = text or self._at_work
        if text != self._shown:
            await self._write(text, growing=True)

    async def close(self, text: str, controls: Controls | None = None) -> None:  # noqa: ARG002 - none are drawn
        await self._write(text, growing=False)

    async def _write(self, text: str, *, growing: bool) -> None:
        self._version = await self._outbound.write(self._part, text, self._version, growing=growing)
        self._shown = text
        self._shown_at = asyncio.get_running_loop().time()


def _check_attempt(part: PartRequest, known: Part | None) -> None:
    if known is not None and known.attempt > part.attempt:
        raise DeliveryDelayedError("playground: overtaken by a later attempt", _TRANSIENT_DELAY)


def _contended() -> DeliveryDelayedError:
    return DeliveryDelayedError("playground: the record changes all the time", _TRANSIENT_DELAY)
