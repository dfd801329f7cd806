"""Slack's rules: what a call's arguments may be, and the life of a streamed message.

A stream's invariants: its mode (chunks or markdown_text) never changes; its text never exceeds
``STREAM_BYTES``; it ends when stopped or ``STREAM_LIFETIME`` after it began, and stays ended.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    TypeAdapter,
    ValidationError,
)

from gateway.demo.slack_blocks import MARKDOWN_CHARS, Json, buttons_of, text_of
from gateway.demo.slack_errors import SlackError
from gateway.demo.standin import Task

POST_TEXT_CHARS = 4_000
UPDATE_TEXT_CHARS = 4_000
FIELD_CHARS = 256
"""Of a task's or plan's text (docs: chat.appendStream)."""

STREAM_BYTES = 11_900
STREAM_LIFETIME = 300.0

TIERS = {
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.appendStream": 100,
    "chat.update": 50,
    "chat.delete": 50,
    "conversations.replies": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "files.completeUploadExternal": 100,
    "files.getUploadURLExternal": 100,
    "files.info": 100,
    "users.info": 100,
    "reactions.add": 50,
    "reactions.remove": 20,
    "agents.sessions.setStatus": 50,
    "chat.postEphemeral": 100,
    "assistant.threads.setSuggestedPrompts": 100,
}
"""Calls a minute, by method. Others are not limited here, but for chat.postMessage, per channel."""


def _decoded(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarkdownChunk(_Strict):
    type: Literal["markdown_text"]
    text: str


TaskText = Annotated[str, Field(max_length=FIELD_CHARS)]


class TaskChunk(_Strict):
    type: Literal["task_update"]
    id: str
    title: TaskText
    status: Literal["pending", "in_progress", "complete", "error"] | None = None
    details: TaskText | None = None
    output: TaskText | None = None
    sources: list[Json] | None = None


class PlanChunk(_Strict):
    type: Literal["plan_update"]
    title: TaskText


class BlocksChunk(_Strict):
    type: Literal["blocks"]
    blocks: list[Json]


Chunk = Annotated[MarkdownChunk | TaskChunk | PlanChunk | BlocksChunk, Discriminator("type")]
Chunks = Annotated[list[Chunk], BeforeValidator(_decoded)]
Blocks = Annotated[list[Json], BeforeValidator(_decoded)]


class Metadata(_Strict):
    event_type: str
    event_payload: Json


class Arguments(BaseModel):
    """What one method takes. Slack ignores arguments that it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TeamsPage(Arguments):
    limit: int = 100
    cursor: str = ""


class NoArguments(Arguments):
    pass


class Content(Arguments):
    """The arguments that make a message's text."""

    channel: str
    text: str | None = None
    markdown_text: str | None = None
    blocks: Blocks | None = None
    metadata: Annotated[Metadata, BeforeValidator(_decoded)] | None = None

    def visible_text(self, text_limit: int) -> str:
        """What a person will read. Raises SlackError if Slack would not take it."""
        if self.markdown_text is not None:
            if self.text is not None or self.blocks is not None:
                raise SlackError("markdown_text_conflict")
            if len(self.markdown_text) > MARKDOWN_CHARS:
                raise SlackError("msg_too_long")
            visible = self.markdown_text
        elif self.blocks:
            visible = text_of(self.blocks)
        else:
            if self.text is not None and len(self.text) > text_limit:
                raise SlackError("msg_too_long")
            visible = html.unescape(self.text or "")
        if not visible.strip():
            raise SlackError("no_text")
        return visible

    @property
    def buttons(self) -> dict[str, tuple[str, str]]:
        return buttons_of(self.blocks or ())


class PostMessage(Content):
    thread_ts: str | None = None


class Update(Content):
    ts: str


class Message(Arguments):
    channel: str
    ts: str


class StartStream(Arguments):
    channel: str
    thread_ts: str | None = None
    recipient_user_id: str | None = None
    recipient_team_id: str | None = None
    markdown_text: str | None = None
    chunks: Chunks | None = None


class WriteStream(Arguments):
    """chat.appendStream and chat.stopStream."""

    channel: str
    ts: str
    markdown_text: str | None = None
    chunks: Chunks | None = None
    blocks: Blocks | None = None
    metadata: Annotated[Metadata, BeforeValidator(_decoded)] | None = None
    session_status: Literal["processing", "active", "suspended", "closed"] = "active"


class Page(Arguments):
    """conversations.replies (with ``ts``) and conversations.history."""

    channel: str
    ts: str | None = None
    oldest: str = "0"
    latest: str = "9999999999.999999"
    inclusive: bool = False
    include_all_metadata: bool = False
    limit: int = 100
    cursor: str = ""


class Reaction(Arguments):
    channel: str
    timestamp: str
    name: str


class Ephemeral(Content):
    user: str
    thread_ts: str | None = None


class Prompt(_Strict):
    title: str
    message: str


class SuggestedPrompts(Arguments):
    channel_id: str
    thread_ts: str | None = None
    title: str | None = None
    prompts: Annotated[list[Prompt], Field(min_length=1, max_length=4)]


class ThreadStatus(Arguments):
    channel_id: str
    thread_ts: str
    status: str


class SessionStatus(Arguments):
    channel_id: str
    thread_ts: str | None = None
    status: Literal["processing", "active", "suspended", "closed"]


A = TypeVar("A", bound=Arguments)


def parsed(model: type[A], raw: Json) -> A:
    """The arguments of a call. Raises SlackError with the code that Slack has for the first bad one."""
    try:
        return TypeAdapter(model).validate_python(raw)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        codes = {"chunks": "invalid_chunks", "blocks": "invalid_blocks", "metadata": "invalid_metadata"}
        raise SlackError(codes.get(str(field), "invalid_arguments")) from error


def drawn(tasks: Mapping[str, Task], chunks: Sequence[Chunk] | None) -> dict[str, Task]:
    """The cards after a call: title and status are replaced, details appended to (public issue vercel/chat #886)."""
    cards = dict(tasks)
    for chunk in chunks or ():
        if isinstance(chunk, TaskChunk):
            known = cards.get(chunk.id, Task(chunk.title, ()))
            status = (chunk.status,) if chunk.status else ()
            cards[chunk.id] = Task(
                chunk.title, (*known.statuses, *status), known.details + (chunk.details or "")
            )
    return cards


@dataclass(slots=True)
class Stream:
    """One streamed message. ``chunked`` is None until the first text fixes the mode. ``stopped``: by a person."""

    opened_at: float
    chunked: bool | None = None
    size: int = 0
    open: bool = True
    stopped: bool = False

    def stop(self) -> None:
        """A person pressed the stop button."""
        self.open = False
        self.stopped = True

    def ends_by(self, now: float) -> bool:
        """End the stream if its life is over; whether that happened just now."""
        ending = self.open and now - self.opened_at >= STREAM_LIFETIME
        if ending:
            self.open = False
        return ending

    def take(self, markdown_text: str | None, chunks: Sequence[Chunk] | None) -> str:
        """The text that a call adds. Raises SlackError if the stream may not take it."""
        if self.stopped:
            raise SlackError("stopped_by_user", fault=False)
        if not self.open:
            raise SlackError("message_not_in_streaming_state", fault=False)
        if markdown_text is not None and chunks is not None:
            raise SlackError("markdown_text_conflict")
        if markdown_text is None and chunks is None:
            return ""
        if self.chunked is not None and self.chunked != (chunks is not None):
            raise SlackError("streaming_mode_mismatch")
        texts = (
            [markdown_text]
            if markdown_text is not None
            else [chunk.text for chunk in chunks or () if isinstance(chunk, MarkdownChunk)]
        )
        if any(len(text) > MARKDOWN_CHARS for text in texts):
            raise SlackError("msg_too_long")
        added = "".join(texts)
        if self.size + len(added.encode()) > STREAM_BYTES:
            raise SlackError("msg_too_long")
        self.chunked = chunks is not None
        self.size += len(added.encode())
        return added
