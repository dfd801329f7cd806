"""The one user of the database, with group commit.

Invariants:

- a step runs whole or not at all, in the order of submission, and is answered only after its commit;
- steps that arrive while a commit is under way share the next one: the disk is waited for once per group;
- a step that fails in SQLite takes nobody with it: its group is rolled back and its members run one by one;
- statements run in the event loop, commits in a thread, and never both at once.

A statement touches cached pages for a few microseconds, which is less than it costs to hand it to a thread and
to share the interpreter with it (measured, with COMMIT_EVERY: an eighth of a message's CPU until it is
acknowledged, a sixth of a short reply's). Only a commit waits for the disk.

The database is opened with an exclusive lock, which the operating system drops when the process dies, so a
second process fails loudly and a crash leaves nothing locked.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from conversation.stores.port import StoreError, StoreUnavailableError
from conversation.stores.records import RecordConflictError

T = TypeVar("T")

GROUP = 256
"""Steps that share a commit at most."""

WAITING = 20_000
"""Steps that may wait for the disk; one more is refused, so that memory is bounded."""

COMMIT_EVERY = 0.005
"""Seconds between the beginnings of two groups. A lone step does not wait; under load more steps share a commit."""

SCHEMA_VERSION = 3

LARGEST_NUMBER = 2**63 - 1
"""That a statement can be given."""

_BACKUP_PAGES = 64
"""Pages that are copied at once: about a millisecond in which steps wait."""

_BACKUP_PAUSE = 0.005
"""Seconds between two copies."""

_KIND = 0xFF
"""Of SQLite's error codes: the rest is detail."""

_WRITABLE = "let its user write the file and its folder, or set another store.url"

_Step = Callable[[sqlite3.Connection], object]
_Waiting = tuple[_Step, "asyncio.Future[Any]"]  # Any: each step has a result type of its own
_Answer = tuple["asyncio.Future[Any]", object, Exception | None]
_Group = tuple[list[_Waiting], list[_Answer] | None]  # None: the steps have not run


class Writer:
    """Runs steps, each a quick function of the connection, on the database at ``path``."""

    def __init__(self, path: Path, *, commit_every: float = COMMIT_EVERY) -> None:
        self._path = path
        self._commit_every = commit_every
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[_Waiting] = []
        self._under_way = False
        self._begun_at = 0.0
        self._commits: SimpleQueue[_Group | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._commit_groups, name="sqlite-commits", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open or create the database. Raises StoreUnavailableError with what to do about it."""
        self._loop = asyncio.get_running_loop()
        self._connection = await asyncio.to_thread(self._connect)
        self._thread.start()

    async def close(self) -> None:
        """Let every submitted step finish, then close the database."""
        if self._connection is not None:
            last = self._submit(lambda _: None)
            connection, self._connection = self._connection, None
            await last
            self._commits.put(None)
            await asyncio.to_thread(self._thread.join)
            connection.close()

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """The step's result, after it is on disk. A StoreError that the step raises before it wrote anything
        comes back as it is; SQLite's own failures become StoreUnavailableError.
        """
        if self._connection is None:
            raise StoreUnavailableError("the store is closed")
        if len(self._waiting) >= WAITING:
            raise StoreUnavailableError("the disk is too slow for what arrives")
        return await self._submit(step)

    async def backup(self, path: Path) -> None:
        """Copy the database as it is at one moment, while steps go on. Raises StoreUnavailableError.

        What is copied already is kept up to date until the last page (sqlite.org/backup.html: changes through the
        connection that is backed up are seen at once); while a step writes, the copy waits.
        """
        source = self._connection
        if source is None:
            raise StoreUnavailableError("the store is closed")

        def copy() -> None:
            path.touch(mode=0o600)
            with contextlib.closing(sqlite3.connect(path)) as target:
                source.backup(target, pages=_BACKUP_PAGES, sleep=_BACKUP_PAUSE)

        try:
            await asyncio.to_thread(copy)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailableError(f"cannot back up to {path}: {error}") from error

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)  # people's messages are nobody else's to read
        except OSError as error:
            raise StoreUnavailableError(f"cannot open {self._path}: {error.strerror}; {_WRITABLE}") from error
        try:
            connection = sqlite3.connect(
                self._path, timeout=0.5, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            raise self._unusable(error) from error
        except StoreUnavailableError:
            connection.close()
            raise
        return connection

    def _unusable(self, error: sqlite3.Error) -> StoreUnavailableError:
        match error.sqlite_errorcode & _KIND:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                remedy = "another process has it open; stop that one, or give this one a store.url of its own"
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
                remedy = f"{error}; {_WRITABLE}"
            case sqlite3.SQLITE_NOTADB:
                remedy = "it is no SQLite database; set another store.url, or move the file away"
            case _:
                remedy = f"{error}; check that it is a Turnkeeper database on a local disk"
        return StoreUnavailableError(f"cannot use {self._path}: {remedy}")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise StoreUnavailableError(
                f"{self._path} was written by a newer Turnkeeper (schema {version}, this one knows "
                f"{SCHEMA_VERSION}); upgrade, or restore a backup"
            )
        if 0 < version < SCHEMA_VERSION:
            raise StoreUnavailableError(
                f"{self._path} was written by a Turnkeeper from before the first release (schema {version}, this"
                f" one knows {SCHEMA_VERSION}): let that one answer what is queued, then name a new file in store.url"
            )
        if version == 0:
            if connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
                raise StoreUnavailableError(
                    f"{self._path} is another program's database; set another store.url, or move the file away"
                )
            schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
            for statement in schema.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _submit(self, step: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        assert self._loop is not None
        assert self._connection is not None
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append((step, answer))
        if not self._under_way:
            self._begin_soon(self._loop, self._connection)
        return answer

    def _begin_soon(self, loop: asyncio.AbstractEventLoop, connection: sqlite3.Connection) -> None:
        """Not at once: whatever else this turn of the loop submits shares the commit."""
        self._under_way = True
        now = loop.time()
        self._begun_at = max(now, self._begun_at + self._commit_every)
        if self._begun_at > now:
            loop.call_at(self._begun_at, self._run_group, connection)
        else:
            loop.call_soon(self._run_group, connection)

    def _run_group(self, connection: sqlite3.Connection) -> None:
        group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
        before = connection.total_changes
        answers = _performed(connection, group)
        if answers is not None and connection.total_changes == before:
            connection.execute("COMMIT")  # nothing to wait for
            self._deliver(connection, answers)
        else:
            self._commits.put((group, answers))

    def _commit_groups(self) -> None:
        """The thread."""
        connection, loop = self._connection, self._loop
        assert connection is not None
        assert loop is not None
        while (entry := self._commits.get()) is not None:
            answers = _committed(connection, *entry)
            try:
                loop.call_soon_threadsafe(self._deliver, connection, answers)
            except RuntimeError:  # the loop was closed under us: nobody is left to be told
                return

    def _deliver(self, connection: sqlite3.Connection, answers: list[_Answer]) -> None:
        assert self._loop is not None
        for future, result, error in answers:
            if future.done():  # its caller was cancelled; the step happened all the same
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        self._under_way = False
        if self._waiting:
            self._begin_soon(self._loop, connection)


def _performed(connection: sqlite3.Connection, group: list[_Waiting]) -> list[_Answer] | None:
    """The steps' answers, to be committed; None, with nothing done, where one of them broke."""
    answers: list[_Answer] = []
    try:
        connection.execute("BEGIN")
        for step, future in group:
            try:
                answers.append((future, step(connection), None))
            except (StoreError, RecordConflictError) as refusal:
                answers.append((future, None, refusal))
    except Exception:  # noqa: BLE001 - whose fault it was shows when each step runs alone
        _roll_back(connection)
        return None
    return answers


def _committed(
    connection: sqlite3.Connection, group: list[_Waiting], answers: list[_Answer] | None
) -> list[_Answer]:
    if answers is not None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error:
            _roll_back(connection)
        else:
            return answers
    return [_alone(connection, *member) for member in group]


def _alone(connection: sqlite3.Connection, step: _Step, future: asyncio.Future[Any]) -> _Answer:
    try:
        connection.execute("BEGIN")
        result = step(connection)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - the boundary of a step: the caller gets it as its outcome
        _roll_back(connection)
        return future, None, _outcome(error)
    return future, result, None


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _outcome(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        unavailable = StoreUnavailableError(f"SQLite: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error
