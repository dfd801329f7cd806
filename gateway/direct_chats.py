"""``channels.lark.direct.ChatBook`` in the store: which chat is the direct message of which person."""

from __future__ import annotations

from dataclasses import dataclass

from conversation.clock import Clock
from conversation.messages import person_id
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import RecordConflictError, Records

KIND = "direct_chat"

KEPT_FOR = 90 * 86400.0
"""Seconds since it was last learnt anew; a process learns it with the first message of a person."""

_REFRESH_AFTER = KEPT_FOR / 3


@dataclass(frozen=True, slots=True)
class DirectChat:
    chat: str
    at: float


stored_direct_chat = Stored("turnkeeper.direct_chat.v1", DirectChat)


class DirectChatBook:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def keep(self, bot: str, person: str, chat: str) -> None:
        id, now = person_id("lark", bot, person), self._clock.now()
        record = await self._records.get(KIND, id)
        if record is not None:
            known = _read(record.document)
            if known is not None and known.chat == chat and now - known.at < _REFRESH_AFTER:
                return
        try:
            await self._records.put(
                KIND,
                id,
                stored_direct_chat.write(DirectChat(chat, now)),
                expected=0 if record is None else record.version,
            )
        except RecordConflictError:
            return  # another replica has just learnt it too

    async def find(self, bot: str, person: str) -> str | None:
        record = await self._records.get(KIND, person_id("lark", bot, person))
        known = None if record is None else _read(record.document)
        return None if known is None else known.chat


def _read(document: bytes) -> DirectChat | None:
    try:
        return stored_direct_chat.read(document)
    except UnreadableRecordError:
        return None
