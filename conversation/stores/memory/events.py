"""What happened, in memory."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Literal

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.stores.events import EVENTS_KEPT, Event, EventKind, from_their_first


class MemoryEvents:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.position = 0
        self.happened: deque[Event] = deque(maxlen=EVENTS_KEPT)

    def log(self, kind: EventKind, key: ConversationKey, turn_id: str, detail: str = "") -> None:
        self.position += 1
        self.happened.append(Event(self.position, self._clock.now(), kind, key, turn_id, str(detail)))

    def forget(self, until: float, limit: int) -> None:
        """Up to ``limit`` that happened then or before."""
        for _ in range(limit):
            if not self.happened or self.happened[0].at > until:
                break
            self.happened.popleft()

    async def note(
        self, kind: Literal["turn.feedback"], key: ConversationKey, turn_id: str, detail: str
    ) -> bool:
        if not any(event.key == key for event in self.happened):
            return False
        self.log(kind, key, turn_id, detail)
        return True

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        return tuple(islice((event for event in self.happened if event.position > position), limit))

    async def end(self) -> int:
        return self.position

    async def of_turn(self, id: str) -> tuple[Event, ...]:
        return from_their_first([event for event in self.happened if event.turn_id.startswith(id)])

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        newest = islice((event for event in reversed(self.happened) if event.key == key), limit)
        return tuple(newest)[::-1]
