"""The port to a language model.

A provider turns a prompt into pieces of text as they arrive. It maps what goes wrong at its service to
ProviderError, once. It keeps no time: the executor bounds the wait for the first piece, between pieces, and in
all, and closes the stream when time is up or nobody wants the answer any more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from conversation.steps import Step
from conversation.turn import Reason


@dataclass(frozen=True, slots=True)
class Image:
    """A picture for the model to look at: PNG, JPEG, GIF or WebP."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class File:
    """A file that is part of an answer."""

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One utterance of the conversation."""

    role: Literal["user", "assistant"]
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a service says of its answer, as far as it does: never the text. Tokens are the service's own count."""

    id: str = ""
    model: str = ""
    finish_reason: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the input."""
    reasoning_tokens: int | None = None
    """Of the output."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is asked: ``entries`` from old to new; the last is the message to be answered.

    ``told`` is called at most once, when the stream ends, however it does. It must not raise. ``said`` is the message
    in its author's own words, without what was put around it for the model; empty: as in the last entry.
    """

    system: str
    entries: tuple[Entry, ...]
    told: Callable[[Answered], None] | None = None
    said: str = ""
    attach: Callable[[File], None] | None = None
    """Called with each file that the answer brings; None: nobody takes them."""
    step: Callable[[Step], None] | None = None
    """Called when the service tells of a step on its way, or how one ended; None: nobody wants to know."""


class ProviderError(Exception):
    """The model gave no complete answer.

    ``retry_after`` is set (in seconds) where asking again may help and nothing was answered yet: 0 where the
    service named no delay. The text is for operators; it holds no credential and no message text.
    """

    def __init__(self, reason: Reason, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class Provider(Protocol):
    """One agent's model."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        """Yield the answer's text in pieces, never an empty one, until it is complete.

        A stream that ends early raises ProviderError: a truncated answer is never a short answer.
        """
        ...

    async def check(self, *, live: bool) -> str:
        """Ask the service once and return a line that says what it answered; ``live`` asks the model itself
        (temperature 0, at most 32 tokens). Raises ProviderError.
        """
        ...

    async def close(self) -> None: ...
