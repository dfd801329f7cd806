"""What the model is asked in a turn: who said what and when, the files that came with it, and what was said before.

Invariants:

- what a message looks like to the model depends on the message alone and stays so in the transcript, so that a
  model's cache of the conversation's beginning holds;
- of files the transcript keeps a bounded beginning, of pictures that they were there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conversation.bot import Agent
from conversation.enclosures import Produced
from conversation.files.read import FileReader, cut_to
from conversation.messages import InboundMessage, Locale
from conversation.providers.port import Entry, Image
from conversation.source import Earlier, Source
from conversation.texts import about_declined, about_files
from conversation.texts.troubles import FOR_THE_MODEL, Trouble
from conversation.turn import Turn

KEPT_OF_FILES = 4_000
"""Tokens of the files of one turn that the transcript keeps."""

EARLIER_MESSAGES = 30
EARLIER_CHARS = 8_000
"""Of a thread that the bot joins late, the newest."""

_LIKE_A_HEAD = re.compile(r"^[^\n]{1,80} \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\): ", re.MULTILINE)
_NOT_KEPT = "[the rest of this file was read then and is not kept]"


@dataclass(slots=True)
class Question:
    """``text`` and ``images`` for the model now, ``kept`` for the transcript; ``said`` in the people's own words."""

    text: str = ""
    kept: str = ""
    said: str = ""
    images: tuple[Image, ...] = ()
    troubles: dict[Trouble, list[str]] = field(default_factory=dict)
    declined: tuple[str, ...] = ()
    produced: Produced = field(default_factory=Produced)
    locale: Locale = "en"

    @property
    def lead(self) -> str:
        """What the person is told of the files before the answer; mostly nothing."""
        lines = [about_declined(self.declined, self.locale)] if self.declined else []
        lines += [
            about_files(trouble, [f"`{name}`" for name in names], self.locale)
            for trouble, names in self.troubles.items()
        ]
        return "\n".join(lines) + "\n\n" if lines else ""

    def without_images(self) -> None:
        """The model would not look at them."""
        for image in self.images:
            unread = f'<file name="{image.name}" unread="{FOR_THE_MODEL[Trouble.NO_IMAGES]}"/>'
            self.text = self.text.replace(f"[image: {image.name}]", unread)
            self.troubles.setdefault(Trouble.NO_IMAGES, []).append(image.name)
        self.images = ()


class Asking:
    """Of one process: puts a turn's question together."""

    def __init__(self, files: FileReader | None = None) -> None:
        self._files = files or FileReader()

    async def fill(
        self, question: Question, source: Source | None, agent: Agent, turn: Turn, history: Sequence[Entry]
    ) -> None:
        """Into ``question`` what is asked. Takes as long as the files take; may be cancelled."""
        question.locale = turn.message.locale
        question.said = turn.words or turn.question
        question.declined = tuple(name for message in turn.messages for name in message.declined)
        if source is None:
            question.text = question.kept = turn.question
            return
        files = [(message.address, file) for message in turn.messages for file in message.attachments]
        read = await self._files.read(
            source, files, images=agent.images is not False, budget=agent.max_context_tokens // 2
        )
        question.images, question.troubles = tuple(read.images), read.troubles
        blocks, budget = iter(read.blocks), KEPT_OF_FILES
        full: list[str] = []
        kept: list[str] = []
        if not history and (before := await _earlier(source, turn.messages[0])):
            full.append(before)
            kept.append(before)
        for message in turn.messages:
            said = await _said(source, message)
            own = [next(blocks) for _ in message.attachments]
            full.append("\n\n".join(filter(None, (said, *own))))
            short = [_shortened(block, budget) for block in own]
            budget -= sum(len(block) for block in short) // 4
            kept.append("\n\n".join(filter(None, (said, *short))))
        question.text, question.kept = "\n\n".join(full), "\n\n".join(kept)


async def _said(source: Source, message: InboundMessage) -> str:
    text = await source.readable(message) if message.text else ""
    text = "\n".join(filter(None, (text, *(f"[{name}: cannot be read here]" for name in message.declined))))
    if not message.group:
        return text
    text = _LIKE_A_HEAD.sub(r"> \g<0>", text)  # nobody speaks for somebody else
    name = await source.name_of(message) or f"Person {message.person[:4]}"
    return f"{named(name, message.sent_at)}: {text}"


async def _earlier(source: Source, message: InboundMessage) -> str:
    """The thread before the bot was there; empty where there is nothing, or it cannot be had."""
    left = EARLIER_CHARS
    lines: list[str] = []
    for one in reversed(await source.earlier(message, EARLIER_MESSAGES)):
        line = f"{_line(one)}"
        left -= len(line)
        if left < 0:
            break
        lines.append(line)
    if not lines:
        return ""
    return "\n".join(("<earlier_in_this_thread>", *reversed(lines), "</earlier_in_this_thread>"))


def _line(one: Earlier) -> str:
    return f"{named(one.name or 'Somebody', one.at)}: {one.text}"


def named(name: str, at: float) -> str:
    """Whom a message is of, and when, in words that never change."""
    return f"{name} ({datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC)"


def _shortened(block: str, budget: int) -> str:
    kept = cut_to(block, max(budget, 0))
    if len(kept) == len(block):
        return block
    head = block.partition("\n")[0]
    return f"{kept if len(kept) > len(head) else head}\n{_NOT_KEPT}\n</file>"
