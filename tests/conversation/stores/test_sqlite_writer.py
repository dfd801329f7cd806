"""Group commit: what shares a commit shares nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from conversation.stores.port import ClaimLostError, StoreUnavailableError
from conversation.stores.sqlite.writer import Writer


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "store.db")
    await writer.open()
    yield writer
    await writer.close()


def remember(name: str) -> Callable[[sqlite3.Connection], str]:
    def step(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO counter VALUES (?, ?)", (name, 1))
        return name

    return step


def names(db: sqlite3.Connection) -> set[str]:
    return {
        name
        for (name,) in db.execute("SELECT name FROM counter WHERE name NOT IN ('record_revision', 'ready')")
    }


async def test_a_step_that_breaks_takes_nobody_of_its_group_with_it(writer: Writer) -> None:
    def broken(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO counter VALUES ('half', 1)")
        db.execute("INSERT INTO no_such_table VALUES (1)")

    def lost(_: sqlite3.Connection) -> None:
        raise ClaimLostError("somebody else holds it")

    first, second, refused, third = await asyncio.gather(
        writer.run(remember("a")),
        writer.run(broken),
        writer.run(lost),
        writer.run(remember("b")),
        return_exceptions=True,
    )
    assert (first, third) == ("a", "b")
    assert isinstance(second, StoreUnavailableError)
    assert isinstance(refused, ClaimLostError)
    assert await writer.run(names) == {"a", "b"}


async def test_a_step_whose_caller_gave_up_happens_all_the_same(writer: Writer) -> None:
    caller = asyncio.create_task(writer.run(remember("a")))
    await asyncio.sleep(0)
    caller.cancel()
    assert await writer.run(names) == {"a"}


async def test_closing_finishes_what_was_submitted_and_refuses_the_rest(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db")
    await writer.open()
    submitted = [asyncio.create_task(writer.run(remember(str(number)))) for number in range(600)]
    await asyncio.sleep(0)
    await writer.close()
    assert len(await asyncio.gather(*submitted)) == 600
    with pytest.raises(StoreUnavailableError):
        await writer.run(names)
    again = Writer(tmp_path / "store.db")
    await again.open()
    assert len(await again.run(names)) == 600
    await again.close()
