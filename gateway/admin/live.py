"""Conversations as they run: lanes, each with its queue and the reply that is being written.

Invariant: the text of a reply is shown only to who may read texts of its bot, and only of the turn that runs now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from conversation.bot import Agent, Bot
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.conversations import ConversationState
from conversation.stores.port import Store
from conversation.turn import Turn
from gateway.admin.access import Permission, Principal
from gateway.admin.conversation_views import ConversationView, QueuedTurn, View, queued
from gateway.admin.hosted import seen_bot
from gateway.hosting import HostedBot
from gateway.replies import Replies

LOOK_EVERY = 0.25
"""Seconds between two looks at the replies that grow."""

READ_EVERY = 2.0
"""Seconds after which lanes are read again though nothing was heard of."""

MOST_LANES = 60
"""Of one bot: its conversations of the newest activity."""

STAYS_FOR = 60.0
"""Seconds after its newest message for which a lane is shown though nothing waits there any more."""

SHOWN_TURNS = 20
"""Of one queue."""


class Lane(View):
    """``reply`` is the text that is being written, as far as it has come. None: nothing is written, who asks may not
    read it, or another process writes it and nobody watches. ``reply_seconds`` is for how long.
    """

    conversation: ConversationView
    queue: tuple[QueuedTurn, ...]
    reply: str | None
    reply_seconds: float | None


_Row = tuple[ConversationState, tuple[Turn, ...]]


class Live:
    def __init__(
        self,
        bots: Mapping[str, Bot],
        agents: Mapping[str, Agent],
        routes: Mapping[tuple[str, str], HostedBot],
        store: Store,
        replies: Replies,
        clock: Clock,
    ) -> None:
        self._bots = bots
        self._agents = agents
        self._routes = routes
        self._store = store
        self._replies = replies
        self._clock = clock

    async def snapshot(self, who: Principal, *, bot: str | None = None) -> tuple[Lane, ...]:
        """Of one bot, or of all on platforms that are seen: what runs or waits now, and what ended a moment ago.

        Raises UnknownError and NotAllowedError.
        """
        self._check(who, bot)
        return self._lanes(who, await self._rows(who, bot))

    def watch(self, who: Principal, *, bot: str | None = None) -> AsyncGenerator[tuple[Lane, ...], None]:
        """``snapshot``, now and whenever it has changed (``reply_seconds`` alone does not count), at most four times
        a second, with the texts of all replicas. It never ends by itself. Raises as ``snapshot``, at once.
        """
        self._check(who, bot)
        return self._watch(who, bot)

    async def _watch(self, who: Principal, bot: str | None) -> AsyncGenerator[tuple[Lane, ...], None]:
        loop = asyncio.get_running_loop()
        shown: tuple[Lane, ...] | None = None
        rows: list[_Row] = []
        heard, read_at = -1, 0.0
        with self._replies.watching():
            while True:
                end = await self._store.events.end()
                if end != heard or loop.time() - read_at >= READ_EVERY:
                    heard, read_at = end, loop.time()
                    rows = await self._rows(who, bot)
                lanes = self._lanes(who, rows)
                if shown is None or _timeless(lanes) != _timeless(shown):
                    shown = lanes
                    yield lanes
                await asyncio.sleep(LOOK_EVERY)

    def _check(self, who: Principal, bot: str | None) -> None:
        if bot is not None:
            seen_bot(who, self._bots, bot)
        who.check(Permission.READ, bot)

    async def _rows(self, who: Principal, bot: str | None) -> list[_Row]:
        ids = [bot] if bot is not None else sorted({id for _, id in self._routes if who.sees(id)})
        pages = await asyncio.gather(*[self._store.conversations.page(id, limit=MOST_LANES) for id in ids])
        since = self._clock.now() - STAYS_FOR
        states = [
            state for page in pages for state in page if state.state != "idle" or state.active_at > since
        ]
        queues = await asyncio.gather(
            *[self._store.conversations.queue(state.key, SHOWN_TURNS) for state in states]
        )
        rows = list(zip(states, queues, strict=True))
        rows.sort(key=lambda row: (row[0].state != "running", -row[0].active_at, str(row[0].key)))
        return rows[:MOST_LANES]

    def _lanes(self, who: Principal, rows: list[_Row]) -> tuple[Lane, ...]:
        return tuple(self._lane(who, state, turns) for state, turns in rows)

    def _lane(self, who: Principal, state: ConversationState, turns: tuple[Turn, ...]) -> Lane:
        readable = who.may(Permission.READ_TEXTS, state.key.bot)
        text, seconds = self._reply(state.key, turns)
        return Lane(
            conversation=ConversationView.of(state, self._bots, self._agents),
            queue=queued(state, turns, readable=readable),
            reply=text if readable else None,
            reply_seconds=seconds,
        )

    def _reply(self, key: ConversationKey, turns: tuple[Turn, ...]) -> tuple[str | None, float | None]:
        reply = self._replies.of(key)
        if reply is None or not turns or turns[0].id != reply.turn_id:
            return None, None
        return reply.text, round(max(0.0, self._clock.now() - reply.since), 1)


def _timeless(lanes: tuple[Lane, ...]) -> tuple[Lane, ...]:
    return tuple(lane.model_copy(update={"reply_seconds": None}) for lane in lanes)
