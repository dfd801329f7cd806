"""What only the SQLite engine promises: one process, durability, and living with a damaged file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from conversation.busy import Limits
from conversation.stores.port import StoreUnavailableError
from conversation.stores.sqlite import SqliteStore
from conversation.turn import Delivery, Final, Outcome, Part, Reason
from tests.conversation.made_up import ManualClock, answered, message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "turnkeeper.db"


def edit(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


async def filled(path: Path, *texts: str) -> None:
    """A store that was closed with these messages waiting, the first of them half delivered."""
    store = SqliteStore(path, ManualClock())
    await store.open()
    session = await store.turns.open_session()
    for text in texts:
        admission = await store.turns.admit(message(text), session=session, may_claim=True, limits=Limits(20))
        if admission.claim is not None:
            await store.turns.checkpoint(admission.claim, Delivery((Part(0, "ref"),)))
    await store.close()


async def test_a_second_process_is_told_to_use_a_file_of_its_own(path: Path) -> None:
    first, second = SqliteStore(path, ManualClock()), SqliteStore(path, ManualClock())
    await first.open()
    with pytest.raises(StoreUnavailableError, match="another process has it open"):
        await second.open()
    await first.close()


async def test_the_file_is_readable_by_its_owner_only(path: Path) -> None:
    await filled(path)
    assert path.stat().st_mode & 0o077 == 0


async def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    await filled(path)
    edit(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailableError, match="newer Turnkeeper"):
        await SqliteStore(path, ManualClock()).open()


async def test_what_is_no_database_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("somebody's letters " * 100)
    with pytest.raises(StoreUnavailableError, match=r"no SQLite database; set another store\.url"):
        await SqliteStore(path, ManualClock()).open()
    assert path.read_text().startswith("somebody's letters")


async def test_a_file_of_the_time_before_the_first_release_is_refused_with_the_remedy(path: Path) -> None:
    await filled(path)
    edit(path, "PRAGMA user_version = 1")
    with pytest.raises(StoreUnavailableError, match="name a new file"):
        await SqliteStore(path, ManualClock()).open()


async def test_another_programs_database_gets_no_tables(path: Path) -> None:
    path.parent.mkdir()
    edit(path, "CREATE TABLE letters (text)")
    with pytest.raises(StoreUnavailableError, match="another program's database"):
        await SqliteStore(path, ManualClock()).open()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("letters",)]
    db.close()


async def test_a_damaged_message_becomes_a_dead_letter_with_a_notice_and_the_rest_goes_on(path: Path) -> None:
    await filled(path, "one", "two")
    edit(path, "UPDATE turn SET message = x'00ff' WHERE seq < 2")
    store = SqliteStore(path, ManualClock())
    await store.open()
    session = await store.turns.open_session()
    assert await store.turns.take_over(session) == 1
    (claim,) = await store.turns.claim(session, 5)
    assert (claim.turn.refusal, claim.turn.message.address.chat) == (Reason.MALFORMED, "C1")
    told = Final(("sorry",), "", Outcome("dead", Reason.MALFORMED))
    following = await store.turns.complete(claim, told, keep_turns=10)
    assert following is not None
    assert following.turn.message == message("two")
    (letter,) = await store.turns.dead_letters()
    assert (letter.messages, letter.reason) == ((), Reason.MALFORMED)
    assert await store.turns.complete(following, answered("ok"), keep_turns=10) is None
    await store.close()


async def test_a_turn_whose_progress_is_damaged_is_answered_with_a_notice(path: Path) -> None:
    await filled(path, "one")
    edit(path, "UPDATE turn SET delivery = x'00ff'")
    store = SqliteStore(path, ManualClock())
    await store.open()
    session = await store.turns.open_session()
    await store.turns.take_over(session)
    (claim,) = await store.turns.claim(session, 5)
    assert claim.turn.refusal is Reason.MALFORMED
    assert claim.turn.delivery == Delivery()
    await store.close()


async def test_steps_whose_caller_went_away_happen_all_the_same_and_close_waits_for_them(path: Path) -> None:
    store = SqliteStore(path, ManualClock())
    await store.open()
    session = await store.turns.open_session()
    pending = store.turns.admit(message("one"), session=session, may_claim=False, limits=Limits(20))
    pending.send(None)  # submitted, and never awaited again
    pending.close()
    await store.close()
    again = SqliteStore(path, ManualClock())
    await again.open()
    assert [event.kind for event in await again.events.after(0, 10)] == ["message.admitted"]
    await again.close()
