"""The one thread that owns the database, with group commit.

Invariants:

- a step runs whole or not at all, in the order of submission, and is answered only after its commit;
- steps that arrive while a commit is under way share the next one: the disk is waited for once per group;
- a step that fails in SQLite takes nobody with it: its group is rolled back and its members run one by one.

The database is opened with an exclusive lock, which the operating system drops when the process dies, so a
second process fails loudly and a crash leaves nothing locked.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from conversation.stores.port import StoreError, StoreUnavailableError
from conversation.stores.records import RecordConflictError

T = TypeVar("T")

GROUP = 256
"""Steps that share a commit at most."""

WAITING = 20_000
"""Steps that may wait for the disk; one more is refused, so that memory is bounded."""

SCHEMA_VERSION = 1

_Step = Callable[[sqlite3.Connection], object]
_Waiting = tuple[_Step, "asyncio.Future[Any]"]  # Any: each step has a result type of its own
_Answer = tuple["asyncio.Future[Any]", object, Exception | None]


class Writer:
    """Runs steps, each a function of the connection, on the database at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open or create the database. Raises StoreUnavailableError with what to do about it."""
        self._loop = asyncio.get_running_loop()
        connection = await asyncio.to_thread(self._connect)
        self._thread = threading.Thread(
            target=self._run, args=(connection,), name="sqlite-writer", daemon=True
        )
        self._thread.start()

    async def close(self) -> None:
        """Let every submitted step finish, then close the database."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._steps.put(None)
            await asyncio.to_thread(thread.join)

    async def run(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """The step's result, after it is on disk. A StoreError that the step raises before it wrote anything
        comes back as it is; SQLite's own failures become StoreUnavailableError.
        """
        if self._thread is None or self._loop is None:
            raise StoreUnavailableError("the store is closed")
        if self._waiting >= WAITING:
            raise StoreUnavailableError("the disk is too slow for what arrives")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._steps.put((step, answer))
        return await answer

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=0.5, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailableError(f"cannot open {self._path}: {error}; check store.url") from error
        try:
            self._prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                remedy = "another process has it open; stop that one, or give this one a store.url of its own"
            else:
                remedy = f"{error}; check that it is a Turnkeeper database on a local disk"
            raise StoreUnavailableError(f"cannot use {self._path}: {remedy}") from error
        except StoreUnavailableError:
            connection.close()
            raise
        return connection

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
        if version == 0:
            schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
            for statement in schema.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")

    def _run(self, connection: sqlite3.Connection) -> None:
        open_ = True
        while open_:
            group: list[_Waiting] = []
            step = self._steps.get()
            while step is not None:
                group.append(step)
                if len(group) == GROUP:
                    break
                try:
                    step = self._steps.get_nowait()
                except Empty:
                    break
            open_ = step is not None
            if group:
                self._answer(_commit(connection, group))
        connection.close()

    def _answer(self, answers: list[_Answer]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, answers)
        except RuntimeError:  # the loop was closed under us: nobody is left to be told
            return

    def _deliver(self, answers: list[_Answer]) -> None:
        self._waiting -= len(answers)
        for future, result, error in answers:
            if future.done():  # its caller was cancelled; the step happened all the same
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _commit(connection: sqlite3.Connection, group: list[_Waiting]) -> list[_Answer]:
    answers: list[_Answer] = []
    try:
        connection.execute("BEGIN")
        for step, future in group:
            try:
                answers.append((future, step(connection), None))
            except (StoreError, RecordConflictError) as refusal:
                answers.append((future, None, refusal))
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - the boundary of the thread: the caller gets it as its outcome
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if len(group) > 1:
            return [answer for member in group for answer in _commit(connection, [member])]
        return [(group[0][1], None, _outcome(error))]
    return answers


def _outcome(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        unavailable = StoreUnavailableError(f"SQLite: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error
