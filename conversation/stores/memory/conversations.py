"""Looking at conversations in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.conversations import LISTED_FOR, ConversationState, Load, Queue, State
from conversation.stores.memory.line import Conversation, Line
from conversation.turn import Turn


class MemoryConversations:
    def __init__(
        self, conversations: Mapping[ConversationKey, Conversation], line: Line, clock: Clock
    ) -> None:
        self._conversations = conversations
        self._line = line
        self._clock = clock

    async def page(
        self, bot: str, *, before: tuple[float, str] | None = None, limit: int
    ) -> tuple[ConversationState, ...]:
        found = sorted(
            (
                (one.active_at, str(key), key)
                for key, one in self._conversations.items()
                if key.bot == bot and self._is_listed(one)
            ),
            reverse=True,
        )
        below = (key for at, name, key in found if before is None or (at, name) < before)
        return tuple(_state(key, self._conversations[key]) for key in islice(below, limit))

    async def find(self, key: ConversationKey) -> ConversationState | None:
        one = self._conversations.get(key)
        return _state(key, one) if one is not None and self._is_listed(one) else None

    async def queue(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        return tuple(islice(self._conversations.get(key, Conversation()).queue, limit))

    async def load(self, bot: str) -> Load:
        of_bot = [one for key, one in self._conversations.items() if key.bot == bot]
        running = sum(one.owner is not None for one in of_bot)
        return Load(running, sum(len(one.queue) for one in of_bot) - running)

    async def queues(self, bots: Collection[str]) -> dict[str, Queue]:
        return {bot: Queue((await self.load(bot)).waiting, self._oldest_age(bot)) for bot in bots}

    def _oldest_age(self, bot: str) -> float:
        key = self._line.longest_ready(bot)
        return 0.0 if key is None else self._clock.now() - self._conversations[key].queue[0].admitted_at

    def _is_listed(self, one: Conversation) -> bool:
        return one.active_at > self._clock.now() - LISTED_FOR


def _state(key: ConversationKey, one: Conversation) -> ConversationState:
    state: State = "ready"
    if not one.queue:
        state = "idle"
    elif one.owner is not None:
        state = "running"
    elif one.due_at is not None:
        state = "backing_off"
    return ConversationState(key, state, len(one.queue), one.active_at, one.agent, one.owner or "")
