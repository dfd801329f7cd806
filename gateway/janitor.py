"""Forgets records that have had their time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from conversation import retries
from conversation.clock import Clock
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, RecordConflictError, Records
from gateway import direct_chats, welcomes

DAY = 86400.0

SWEEP_EVERY = 600.0
"""Seconds. Every replica sweeps, each at moments of its own: what one has forgotten is no work for the next."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Perishable:
    """Records of ``kind`` are forgotten ``keep`` seconds after the time that ``field`` holds, in seconds since 1970.

    They are written by ``conversation.stored.Stored``. One that does not hold the field is left alone.
    """

    kind: str
    keep: float
    field: str = "at"


PERISHABLES = (
    Perishable("playground", DAY),
    Perishable("watch", 60.0),
    Perishable("live", 60.0),
    Perishable("status", 90 * DAY, "changed_at"),
    Perishable(retries.KIND, retries.KEPT_FOR),
    Perishable(welcomes.KIND, 30 * DAY),
    Perishable(direct_chats.KIND, direct_chats.KEPT_FOR),
    Perishable("idempotency", DAY + 3600.0),
    Perishable("session", 60.0, "expires_at"),
    Perishable("slack-oauth-state", 60.0, "expires_at"),
)


class _Times(BaseModel):
    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, object]


class _Document(BaseModel):
    data: _Times


class Janitor:
    def __init__(
        self, records: Records, clock: Clock, perishables: Sequence[Perishable] = PERISHABLES
    ) -> None:
        self._records = records
        self._clock = clock
        self._perishables = perishables

    async def run(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            try:
                await self.sweep()
            except StoreUnavailableError as error:
                _log.warning("store unavailable", cause=str(error))

    async def sweep(self) -> int:
        """How many records were forgotten. Raises StoreUnavailableError."""
        forgotten = 0
        for perishable in self._perishables:
            for record in await self._records.all(perishable.kind):
                written_at = _time(record, perishable.field)
                if written_at is None or written_at + perishable.keep > self._clock.now():
                    continue
                try:
                    await self._records.delete(record.kind, record.id, expected=record.version)
                except RecordConflictError:
                    continue  # it has just been changed, or forgotten by another
                forgotten += 1
        return forgotten


def _time(record: Record, field: str) -> float | None:
    try:
        times = _Document.model_validate_json(record.document).data.__pydantic_extra__
    except ValidationError:
        return None
    written = times.get(field)
    return float(written) if isinstance(written, (int, float)) else None
