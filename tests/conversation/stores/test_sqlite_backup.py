"""A copy of the embedded store that is made while it is written to."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from conversation.busy import Limits
from conversation.stores.port import StoreUnavailableError
from conversation.stores.sqlite import SqliteStore
from tests.conversation.made_up import ManualClock, answered, message


async def talk(store: SqliteStore, session: str, number: int) -> None:
    said = message(f"message {number}", chat=f"C{number % 9}")
    await store.turns.admit(said, session=session, may_claim=False, limits=Limits(queued=1000))
    for claim in await store.turns.claim(session, 1):
        await store.turns.complete(claim, answered("fine " * 400), keep_turns=100)


async def test_a_backup_under_writes_is_whole_and_opens_as_a_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "turnkeeper.db", ManualClock())
    await store.open()
    session = await store.turns.open_session()
    for number in range(300):
        await talk(store, session, number)

    async def go_on() -> None:
        for number in range(300, 2000):
            await talk(store, session, number)
            await asyncio.sleep(0)

    writing = asyncio.create_task(go_on())
    await store.backup(tmp_path / "copy.db")
    assert not writing.done(), "it was not made after the writes"
    before = len(await store.events.after(0, 100_000))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()

    with sqlite3.connect(tmp_path / "copy.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
    copy = SqliteStore(tmp_path / "copy.db", ManualClock())
    await copy.open()
    kept = await copy.events.after(0, 100_000)
    assert 600 <= len(kept) <= before
    assert [event.position for event in kept] == list(range(1, len(kept) + 1)), (
        "no event is missing in between"
    )
    await copy.close()


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "turnkeeper.db", ManualClock())
    await store.open()
    with pytest.raises(StoreUnavailableError, match="cannot back up to"):
        await store.backup(tmp_path / "nowhere" / "copy.db")
    await store.close()
