from __future__ import annotations

import pytest

from conversation.stores.port import Store
from conversation.stores.records import Record, RecordConflictError


async def test_a_record_changes_only_from_the_version_its_writer_has_seen(store: Store) -> None:
    created = await store.records.put("bot", "helpdesk", b"{}", expected=0)
    assert (created.version, created.document) == (1, b"{}")
    with pytest.raises(RecordConflictError):
        await store.records.put("bot", "helpdesk", b"{}", expected=0)
    changed = await store.records.put("bot", "helpdesk", b'{"a":1}', expected=1)
    assert changed.version == 2
    with pytest.raises(RecordConflictError):
        await store.records.delete("bot", "helpdesk", expected=1)
    assert await store.records.get("bot", "helpdesk") == changed
    await store.records.delete("bot", "helpdesk", expected=2)
    assert await store.records.get("bot", "helpdesk") is None


async def test_whoever_polls_the_revision_of_a_kind_notices_every_change_of_it(store: Store) -> None:
    seen = [await store.records.revision("bot")]
    for change in (
        store.records.put("bot", "a", b"1", expected=0),
        store.records.put("bot", "a", b"2", expected=1),
        store.records.delete("bot", "a", expected=2),
    ):
        await change
        seen.append(await store.records.revision("bot"))
    assert seen == sorted(set(seen))
    await store.records.put("agent", "a", b"2", expected=0)
    assert await store.records.revision("bot") == seen[-1]
    assert await store.records.revision("agent") > 0


async def test_records_are_listed_by_kind_in_the_order_of_their_ids(store: Store) -> None:
    await store.records.put("bot", "b", b"1", expected=0)
    await store.records.put("bot", "a", b"2", expected=0)
    await store.records.put("agent", "c", b"3", expected=0)
    listed: tuple[Record, ...] = await store.records.all("bot")
    assert [record.id for record in listed] == ["a", "b"]
