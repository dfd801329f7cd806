"""The ``memory:`` store: the reference model with its side ports. It promises nothing across a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice

from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.providers.port import Entry
from conversation.stores.audit import AuditEntry, Deed
from conversation.stores.conversations import LISTED_FOR, ConversationState, Load, State
from conversation.stores.events import Event
from conversation.stores.privacy import Erased, Kept
from conversation.stores.records import Record, RecordConflictError
from conversation.stores.reference import ReferenceTurns
from conversation.stores.reference_line import Conversation
from conversation.stores.retention import Retention
from conversation.stores.transcripts import Said, entries
from conversation.turn import DeadLetter, Turn


class MemoryTranscripts:
    def __init__(self, turns: ReferenceTurns) -> None:
        self._said = turns.said

    async def recent(self, key: ConversationKey, turns: int) -> tuple[Entry, ...]:
        return entries(await self.said(key, turns))

    async def said(self, key: ConversationKey, limit: int) -> tuple[Said, ...]:
        return tuple(self._said.get(key, [])[-limit:])


class MemoryEvents:
    def __init__(self, turns: ReferenceTurns) -> None:
        self._turns = turns

    async def after(self, position: int, limit: int) -> tuple[Event, ...]:
        return tuple(islice((one for one in self._turns.happened if one.position > position), limit))

    async def end(self) -> int:
        return self._turns.position

    async def of_turn(self, id: str) -> tuple[Event, ...]:
        return tuple(event for event in self._turns.happened if event.turn_id.startswith(id))

    async def of_conversation(self, key: ConversationKey, limit: int) -> tuple[Event, ...]:
        return tuple([event for event in self._turns.happened if event.key == key][-limit:])


class MemoryRecords:
    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._revisions: dict[str, int] = {}

    async def get(self, kind: str, id: str) -> Record | None:
        return self._records.get((kind, id))

    async def all(self, kind: str) -> tuple[Record, ...]:
        return tuple(record for (of, _), record in sorted(self._records.items()) if of == kind)

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        self._expect(kind, id, expected)
        record = Record(kind, id, document, expected + 1, self._next_revision(kind))
        self._records[kind, id] = record
        return record

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        self._expect(kind, id, expected)
        if self._records.pop((kind, id), None) is not None:
            self._next_revision(kind)

    async def revision(self, kind: str) -> int:
        return self._revisions.get(kind, 0)

    def _expect(self, kind: str, id: str, expected: int) -> None:
        record = self._records.get((kind, id))
        if (record.version if record else 0) != expected:
            raise RecordConflictError(f"{kind} {id!r} is not at version {expected}")

    def _next_revision(self, kind: str) -> int:
        self._revisions[kind] = self._revisions.get(kind, 0) + 1
        return self._revisions[kind]


class MemoryConversations:
    def __init__(self, turns: ReferenceTurns, clock: Clock) -> None:
        self._conversations = turns.conversations
        self._clock = clock

    async def page(
        self, bot: str, *, before: tuple[float, str] | None = None, limit: int
    ) -> tuple[ConversationState, ...]:
        since = self._clock.now() - LISTED_FOR
        found = sorted(
            (
                (one.active_at, str(key), key, one)
                for key, one in self._conversations.items()
                if key.bot == bot and one.active_at > since
            ),
            key=lambda row: row[:2],
            reverse=True,
        )
        rest = [row for row in found if before is None or row[:2] < before]
        return tuple(_state(key, one) for _, _, key, one in rest[:limit])

    async def find(self, key: ConversationKey) -> ConversationState | None:
        one = self._conversations.get(key)
        return None if one is None or not one.active_at else _state(key, one)

    async def queue(self, key: ConversationKey, limit: int) -> tuple[Turn, ...]:
        return tuple(islice(self._conversations.get(key, Conversation()).queue, limit))

    async def load(self, bot: str) -> Load:
        of_bot = [one for key, one in self._conversations.items() if key.bot == bot]
        running = sum(one.owner is not None for one in of_bot)
        return Load(running, sum(len(one.queue) for one in of_bot) - running)


class MemoryAudit:
    def __init__(self, clock: Clock, retention: Retention) -> None:
        self._clock = clock
        self._retention = retention
        self._entries: list[AuditEntry] = []
        self._position = 0

    async def append(self, deed: Deed) -> None:
        self._position += 1
        self._entries.append(AuditEntry(self._position, self._clock.now(), deed))

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        since = self._clock.now() - self._retention.audit
        self._entries = [entry for entry in self._entries if entry.at > since]
        below = [entry for entry in reversed(self._entries) if position is None or entry.position < position]
        return tuple(below[:limit])


class MemoryPrivacy:
    def __init__(self, turns: ReferenceTurns) -> None:
        self._turns = turns

    async def kept(self, person: str, bot: str) -> Kept:
        said = tuple(
            (key, one)
            for key, entries in self._turns.said.items()
            for one in entries
            if key.bot == bot and one.person == person
        )
        letters = tuple(letter for letter in self._turns.dead if _is_of(letter, person, bot))
        return Kept(said, letters, self._waiting(person, bot))

    async def erase(self, person: str, bot: str) -> Erased:
        gone = await self.kept(person, bot)
        for key in {key for key, _ in gone.said}:
            self._turns.said[key] = [one for one in self._turns.said[key] if one.person != person]
        self._turns.dead = [letter for letter in self._turns.dead if letter not in gone.letters]
        return Erased(len(gone.said), len(gone.letters), gone.waiting)

    def _waiting(self, person: str, bot: str) -> int:
        return sum(
            message.person == person
            for key, one in self._turns.conversations.items()
            if key.bot == bot
            for turn in one.queue
            for message in turn.messages
        )


class MemoryStore:
    """Everything in this process, gone with it."""

    exclusive: bool = True
    permits = None

    def __init__(self, clock: Clock, *, retention: Retention = Retention()) -> None:  # noqa: B008 - frozen
        self.turns = ReferenceTurns(clock, retention)
        self.transcripts = MemoryTranscripts(self.turns)
        self.events = MemoryEvents(self.turns)
        self.records = MemoryRecords()
        self.conversations = MemoryConversations(self.turns, clock)
        self.audit = MemoryAudit(clock, retention)
        self.privacy = MemoryPrivacy(self.turns)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def watch(self, wake: Callable[[], None], stop: Callable[[], None]) -> None:  # noqa: ARG002 - the port's signature
        """Nobody else has this store open."""
        await asyncio.Event().wait()


def _state(key: ConversationKey, one: Conversation) -> ConversationState:
    state: State = "ready"
    if not one.queue:
        state = "idle"
    elif one.owner is not None:
        state = "running"
    elif one.due_at is not None:
        state = "backing_off"
    return ConversationState(key, state, len(one.queue), one.active_at, one.agent, one.owner or "")


def _is_of(letter: DeadLetter, person: str, bot: str) -> bool:
    return letter.key.bot == bot and any(message.person == person for message in letter.messages)
