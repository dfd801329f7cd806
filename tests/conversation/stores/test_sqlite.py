"""What only the SQLite engine promises: one process, durability, and living with a damaged file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from conversation.busy import Limits
from conversation.stores.conversations import LISTED_FOR
from conversation.stores.port import StoreUnavailableError
from conversation.stores.privacy import Erased
from conversation.stores.retention import DAY, Retention
from conversation.stores.sqlite import SqliteStore
from conversation.turn import Delivery, Final, Outcome, Part, Reason
from tests.conversation.made_up import DEAD, ManualClock, answered, command, key, message
from tests.conversation.stores.talk import answer, begin, later


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


async def test_a_damaged_letter_is_erased_with_its_person(path: Path) -> None:
    store = SqliteStore(path, ManualClock())
    await store.open()
    await answer(store, await store.turns.open_session(), message("one"), DEAD)
    await store.close()
    edit(path, "UPDATE dead_letter SET message = x'00ff'")
    store = SqliteStore(path, ManualClock())
    await store.open()
    assert await store.privacy.erase(message().person, "helpdesk") == Erased(said=0, letters=1, waiting=0)
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


def conversations(path: Path) -> int:
    """Rows in the file of a closed store."""
    with sqlite3.connect(path) as db:
        (rows,) = db.execute("SELECT count(*) FROM conversation").fetchone()
    db.close()
    return int(rows)


@pytest.mark.parametrize(
    ("kept", "left"),
    [
        (Retention(transcripts=LISTED_FOR + DAY, events=DAY), 3),
        (Retention(transcripts=DAY, events=LISTED_FOR + DAY), 53),
        (Retention(transcripts=DAY, events=DAY), 1),
    ],
)
async def test_conversations_are_forgotten_once_they_are_old_and_nothing_refers_to_them(
    path: Path, kept: Retention, left: int
) -> None:
    clock = ManualClock()

    async def left_after(seconds: float) -> int:
        store = SqliteStore(path, clock, commit_every=0.0, retention=kept)
        await store.open()
        session = await store.turns.open_session()
        await later(store, session, clock, seconds)
        for _ in range(12):
            await store.turns.tick(100)
        await store.turns.close_session(session)
        await store.close()
        return conversations(path)

    store = SqliteStore(path, clock, commit_every=0.0, retention=kept)
    await store.open()
    session = await store.turns.open_session()
    for number in range(50):
        refused = Final((), "", Outcome("refused", Reason.STALE))
        await answer(store, session, message("hi", chat=f"C{number}"), refused)
    await answer(store, session, message("hi", chat="said"))
    await answer(store, session, message("hi", chat="dead"), DEAD)
    await begin(store, session, message("hi", chat="runs"))
    await store.turns.close_session(session)
    await store.close()
    assert await left_after(LISTED_FOR - 1) == 53
    assert await left_after(1) == left
    assert await left_after(DAY) == 1, "it has not been answered yet"


async def test_a_conversation_that_was_forgotten_and_goes_on_is_a_new_one(path: Path) -> None:
    clock = ManualClock()
    store = SqliteStore(path, clock, commit_every=0.0)
    await store.open()
    session = await store.turns.open_session()
    old = await answer(store, session, message("one"))
    await answer(store, session, command("bind", "other"))
    for _ in range(3):
        await later(store, session, clock, LISTED_FOR)
        await store.turns.tick(100)
    new = await answer(store, session, message("two"))
    assert (new.epoch, new.agent) == (old.epoch, "")
    assert [event.turn_id for event in await store.events.of_conversation(key(), 99)] == [new.turn.id] * 3
    await store.close()


async def test_no_statement_reads_a_large_table_from_end_to_end(path: Path) -> None:
    """Neither on a message's way nor in a tick, nor when somebody looks."""
    clock = ManualClock()
    store = SqliteStore(path, clock, commit_every=0.0)
    await store.open()
    db = store._writer._connection
    assert db is not None
    statements: set[str] = set()
    db.set_trace_callback(statements.add)
    session = await store.turns.open_session()
    for said in (message("one"), command("clear"), message("two")):
        await answer(store, session, said)
    await answer(store, session, message("three"), DEAD)
    limits = Limits(replies=2, per_person=1)
    for number in range(9):
        said = message(f"{number}", chat=f"C{number % 4}", user=f"U{number % 3}")
        await store.turns.admit(said, session=session, may_claim=True, limits=limits, when_busy="interrupt")
    for claim in await store.turns.renew(session, ()):
        await store.turns.retry(claim, 1.0)
    await later(store, session, clock, 400 * DAY)
    for look in (
        store.turns.claim(session, 9),
        store.turns.stop(key(), "wish 1", clock.now()),
        store.turns.take_back("helpdesk", message("8").turn_id),
        store.turns.due_repairs(9),
        store.turns.epoch_if_idle(key()),
        store.turns.close_session(session),
        store.turns.tick(100),
        store.conversations.page("helpdesk", limit=9),
        store.conversations.page("helpdesk", before=(clock.now(), str(key())), limit=9),
        store.conversations.find(key()),
        store.conversations.queue(key(), 9),
        store.conversations.load("helpdesk"),
        store.conversations.queues(["helpdesk"]),
        store.transcripts.said(key(), 9),
        store.events.of_turn(message("one").turn_id),
        store.events.of_conversation(key(), 9),
        store.events.after(0, 9),
        store.events.end(),
        store.audit.before(None, 9),
        store.audit.before(7, 9),
        store.privacy.kept(message().person, "helpdesk"),
        store.privacy.erase(message().person, "helpdesk"),
    ):
        await look
    db.set_trace_callback(None)
    plans = {
        statement: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement.replace('Inf', '9e999')}")]
        for statement in statements
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))
    }
    small = {"bot", "session", "turn", "repair", "dead_letter", "sqlite_sequence", "(subquery-1)"}
    scans = {
        step: statement
        for statement, plan in plans.items()
        for step in plan
        if step.endswith("conversation_active (bot=?)")
        or (step.startswith("SCAN") and step.split()[1] not in small and "LIMIT" not in statement)
    }
    assert scans == {}
    assert len(plans) > 50
    await store.close()
