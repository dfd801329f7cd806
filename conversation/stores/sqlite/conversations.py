"""Looking at conversations in SQLite."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.conversations import LISTED_FOR, ConversationState, Load, Queue, State
from conversation.stores.sqlite import line, rows
from conversation.stores.sqlite.writer import Writer
from conversation.turn import Turn

# Each by an index of those that are running, ready or backing off, which no conversation is twice.
_WAITING = """
SELECT name, sum(waiting) FROM (
    SELECT bot, queued - 1 AS waiting FROM conversation WHERE owner IS NOT NULL
    UNION ALL SELECT bot, queued FROM conversation WHERE ready_order IS NOT NULL
    UNION ALL SELECT bot, queued FROM conversation WHERE due_at IS NOT NULL
) JOIN bot ON bot.id = bot GROUP BY name"""
_STATE = "SELECT key, queued, owner, due_at, active_at, agent FROM conversation"


class SqliteConversations:
    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def page(
        self, bot: str, *, before: tuple[float, str] | None = None, limit: int
    ) -> tuple[ConversationState, ...]:
        since = self._clock.now() - LISTED_FOR
        at, key = before or (math.inf, "")

        def step(db: sqlite3.Connection) -> tuple[ConversationState, ...]:
            found = db.execute(
                f"{_STATE} WHERE bot = (SELECT id FROM bot WHERE name = ?1) AND active_at > ?2 AND active_at <= ?4"
                " AND (active_at < ?4 OR key < ?5) ORDER BY active_at DESC, key DESC LIMIT ?3",
                (bot, since, limit, at, key),
            )
            return tuple(_state(*row) for row in found)

        return await self._writer.run(step)

    async def find(self, key: ConversationKey) -> ConversationState | None:
        since = self._clock.now() - LISTED_FOR

        def step(db: sqlite3.Connection) -> ConversationState | None:
            row = db.execute(f"{_STATE} WHERE key = ? AND active_at > ?", (str(key), since)).fetchone()
            return _state(*row) if row else None

        return await self._writer.run(step)

    async def queue(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        def step(db: sqlite3.Connection) -> tuple[Turn, ...]:
            row = db.execute("SELECT id FROM conversation WHERE key = ?", (str(key),)).fetchone()
            return rows.turns(db, row[0], key, limit) if row else ()

        return await self._writer.run(step)

    async def load(self, bot: str) -> Load:
        def step(db: sqlite3.Connection) -> Load:
            row = db.execute("SELECT id FROM bot WHERE name = ?", (bot,)).fetchone()
            if row is None:
                return Load(0, 0)
            (turns,) = db.execute(  # CROSS: turns are few, conversations are many
                "SELECT count(*) FROM turn CROSS JOIN conversation ON conversation.id = turn.conversation"
                " WHERE bot = ?",
                row,
            ).fetchone()
            running = line.running_of(db, row[0])
            return Load(running, turns - running)

        return await self._writer.run(step)

    async def queues(self, bots: Collection[str]) -> dict[str, Queue]:
        now = self._clock.now()

        def step(db: sqlite3.Connection) -> dict[str, Queue]:
            waiting = dict(db.execute(_WAITING).fetchall())
            since = {bot: line.waits_since(db, bot) for bot in bots if waiting.get(bot)}
            return {bot: Queue(waiting.get(bot, 0), now - (since.get(bot) or now)) for bot in bots}

        return await self._writer.run(step)


def _state(
    key: str, queued: int, owner: int | None, due_at: float | None, active_at: float, agent: str
) -> ConversationState:
    state: State = "ready"
    if not queued:
        state = "idle"
    elif owner is not None:
        state = "running"
    elif due_at is not None:
        state = "backing_off"
    session = "" if owner is None else str(owner)
    return ConversationState(ConversationKey.parse(key), state, queued, active_at, agent, session)
