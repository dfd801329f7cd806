"""What a person asked in the playground, and what is shown of the answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from typing import Literal

from channels.playground.part import KIND, part_record, read_part
from conversation.clock import Clock
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import RecordConflictError, Records
from conversation.turn import part_id

QUESTIONS = 50
"""Of one chat that are kept, at most; the oldest are no longer shown."""

QUESTION_CHARACTERS = 200_000
"""Of all questions of a chat together, but for the newest one."""

MOST_PARTS = 100
"""Of one answer that are looked for: 1.6 MB of text."""

LOOK_EVERY = 0.2
"""Seconds between two looks whether something has changed."""

_TRIES = 20
"""Only who says something in the same chat at the same moment is in the way."""


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in a chat. ``growing``: it will change. ``turn`` answers the question, and is the answer's too."""

    role: Literal["person", "agent"]
    text: str
    growing: bool
    at: float
    turn: str


@dataclass(frozen=True, slots=True)
class _Question:
    turn: str
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class _Chat:
    """``at``: when something was last asked."""

    questions: tuple[_Question, ...]
    at: float


_stored = Stored("turnkeeper.playground_chat.v1", _Chat)

_Change = Callable[[_Chat], _Chat]


class Chats:
    """Of any bot: ``bot`` is the hidden one whose outbound shows the answers."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def ask(self, bot: str, chat: str, turn: str, text: str) -> None:
        """Note a question; doing so again is harmless. Raises StoreUnavailableError."""
        question = _Question(turn, text, self._clock.now())

        def with_question(known: _Chat) -> _Chat:
            if any(one.turn == turn for one in known.questions):
                return known
            return _Chat(_newest((*known.questions, question)), question.at)

        await self._change(bot, chat, with_question)

    async def take_back(self, bot: str, chat: str, turn: str) -> None:
        """Forget a question that was not taken after all."""
        await self._change(
            bot,
            chat,
            lambda known: replace(known, questions=tuple(one for one in known.questions if one.turn != turn)),
        )

    async def lines(self, bot: str, chat: str) -> tuple[Line, ...]:
        """Each question with its answer, as far as it has come, in the order of asking."""
        return await self._lines(bot, chat, {})

    async def watch(self, bot: str, chat: str) -> AsyncGenerator[tuple[Line, ...], None]:
        """``lines``, now and whenever they have changed, until it is closed."""
        settled: dict[str, tuple[Line, ...]] = {}
        revision, shown = -1, None
        while True:
            now_at = await self._records.revision(KIND)
            if now_at != revision:
                revision = now_at
                lines = await self._lines(bot, chat, settled)
                if lines != shown:
                    shown = lines
                    yield lines
            await asyncio.sleep(LOOK_EVERY)

    async def answer(self, bot: str, chat: str, turn: str) -> tuple[Line, ...]:
        """The parts of one answer; none as long as nothing is shown."""
        parts: list[Line] = []
        while len(parts) < MOST_PARTS:
            name = part_record(bot, chat, part_id(turn, len(parts)))
            part = read_part(await self._records.get(KIND, name))
            if part is None:
                break
            parts.append(Line("agent", part.text, part.growing, part.at, turn))
        return tuple(parts)

    async def forget_answer(self, bot: str, chat: str, turn: str) -> None:
        """Take its parts away before their time. One that somebody is still writing stays."""
        for number in range(MOST_PARTS):
            record = await self._records.get(KIND, part_record(bot, chat, part_id(turn, number)))
            if record is None:
                return
            with contextlib.suppress(RecordConflictError):
                await self._records.delete(KIND, record.id, expected=record.version)

    async def _lines(self, bot: str, chat: str, settled: dict[str, tuple[Line, ...]]) -> tuple[Line, ...]:
        """``settled`` keeps the answers that are not read again: those before the newest. One ends before the next
        begins.
        """
        lines: list[Line] = []
        before: dict[str, tuple[Line, ...]] = {}
        for question in (await self._read(bot, chat))[1].questions:
            answer = settled.get(question.turn)
            if answer is None:
                answer = await self.answer(bot, chat, question.turn)
                if answer:
                    settled |= before
                    before.clear()
                before[question.turn] = answer
            lines += (Line("person", question.text, False, question.at, question.turn), *answer)
        return tuple(lines)

    async def _read(self, bot: str, chat: str) -> tuple[int, _Chat]:
        record = await self._records.get(KIND, f"{bot}/{chat}")
        if record is None:
            return 0, _Chat((), 0.0)
        try:
            return record.version, _stored.read(record.document)
        except UnreadableRecordError:  # of a later version: what it holds cannot be kept
            return record.version, _Chat((), 0.0)

    async def _change(self, bot: str, chat: str, change: _Change) -> None:
        for _ in range(_TRIES):
            version, known = await self._read(bot, chat)
            wanted = change(known)
            if wanted == known:
                return
            try:
                await self._records.put(KIND, f"{bot}/{chat}", _stored.write(wanted), expected=version)
            except RecordConflictError:
                continue
            return
        raise RecordConflictError(f"chat {chat!r} changes all the time")


def _newest(questions: tuple[_Question, ...]) -> tuple[_Question, ...]:
    kept: list[_Question] = []
    characters = 0
    for question in reversed(questions[-QUESTIONS:]):
        characters += len(question.text)
        if kept and characters > QUESTION_CHARACTERS:
            break
        kept.append(question)
    return tuple(reversed(kept))
