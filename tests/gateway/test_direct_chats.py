"""Which chat is whose direct message: kept for other replicas and for later; a store that is away harms nothing."""

from __future__ import annotations

import asyncio

import pytest
from typing_extensions import override

from channels.lark.direct import DirectChats
from conversation.stores.memory.records import MemoryRecords
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record
from gateway.direct_chats import KEPT_FOR, KIND, DirectChatBook
from tests.conversation.made_up import ManualClock


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_another_replica_knows_what_one_has_learnt() -> None:
    book = DirectChatBook(MemoryRecords(), ManualClock(0.0))
    one, other = DirectChats("helpdesk", book), DirectChats("helpdesk", book)
    assert await other.of("ou_alice") is None
    one.learn("ou_alice", "oc_1")
    await settle()
    assert await other.of("ou_alice") == "oc_1"
    assert await DirectChats("another", book).of("ou_alice") is None
    await one.close()


async def test_what_is_known_is_written_seldom_and_names_nobody() -> None:
    records, clock = MemoryRecords(), ManualClock(0.0)
    book = DirectChatBook(records, clock)
    for chat, seconds, version in (
        ("oc_1", 0.0, 1),
        ("oc_1", 1.0, 1),
        ("oc_2", 1.0, 2),
        ("oc_2", KEPT_FOR / 2, 3),
    ):
        clock.time = seconds
        await book.keep("helpdesk", "ou_alice", chat)
        (record,) = await records.all(KIND)
        assert record.version == version
    assert b"ou_alice" not in record.document
    assert "ou_alice" not in record.id


class _Away(MemoryRecords):
    away = True

    @override
    async def get(self, kind: str, id: str) -> Record | None:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().get(kind, id)


async def test_what_could_not_be_kept_is_kept_with_the_next_message() -> None:
    records = _Away()
    chats = DirectChats("helpdesk", DirectChatBook(records, ManualClock(0.0)))
    chats.learn("ou_alice", "oc_1")
    await settle()
    with pytest.raises(StoreUnavailableError):
        await chats.of("ou_alice")
    records.away = False
    assert await chats.of("ou_alice") is None
    chats.learn("ou_alice", "oc_1")
    await settle()
    assert len(await records.all(KIND)) == 1
    assert await chats.of("ou_alice") == "oc_1"
    await chats.close()
