"""Looking for a message of ours whose sending had an unknown outcome (docs: conversations.replies, .history).

A plain message carries its part's id as metadata from its first moment. A stream cannot: it is labelled when it
ends. As every stream of ours ends labelled, and one reply at a time owns a thread that is a conversation, the
one own message after the trigger that has no label is the lost stream. Where there are several, nobody can tell
and none is taken.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from channels.slack.limits import Limits
from channels.slack.post import Ref
from channels.slack.web_api import Call, WebApi
from conversation.outbound import PartRequest

_PAGE = 100
_MOST_PAGES = 10
"""A reply is looked for at most this far; it stands close behind its trigger."""


class _Payload(BaseModel):
    part: str


class _Label(BaseModel):
    event_type: Literal["turnkeeper_part"]
    event_payload: _Payload


class _Foreign(BaseModel):
    """Metadata of another program, or none."""


class _Found(BaseModel):
    ts: str
    user: str | None = None
    bot_id: str | None = None
    files: tuple[object, ...] = ()
    metadata: Annotated[_Label | _Foreign, Field(union_mode="left_to_right")] | None = None


class _Cursor(BaseModel):
    next_cursor: str = ""


class _Page(BaseModel):
    messages: tuple[_Found, ...] = ()
    response_metadata: _Cursor | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Own messages after a trigger: (timestamp, part) of those with a label, and timestamps of those without."""

    labelled: tuple[tuple[str, str], ...]
    unlabelled: tuple[str, ...]


async def look_through(api: WebApi, limits: Limits, part: PartRequest, *, streamed: bool) -> Seen:
    """``streamed``: something may have been sent as a stream there; else nothing without a label counts."""
    labelled: list[tuple[str, str]] = []
    unlabelled: list[str] = []
    own = await api.whoami() if streamed else None
    async with aclosing(_messages_since(api, limits, part)) as messages:
        async for message in messages:
            if isinstance(message.metadata, _Label):
                labelled.append((message.ts, message.metadata.event_payload.part))
            elif (
                own is not None
                and not message.files
                and (  # files of an answer are messages of their own
                    message.user == own.user_id or (own.bot_id is not None and message.bot_id == own.bot_id)
                )
            ):
                unlabelled.append(message.ts)
    return Seen(tuple(labelled), tuple(unlabelled))


async def find_part(api: WebApi, limits: Limits, part: PartRequest, *, streamed: bool) -> Ref | None:
    """The message that shows this part. ``streamed``: it may have been sent as a stream."""
    seen = await look_through(api, limits, part, streamed=streamed)
    for ts, label in seen.labelled:
        if label == part.id:
            return Ref(ts=ts, stream=False)
    return Ref(ts=seen.unlabelled[0], stream=True) if len(seen.unlabelled) == 1 else None


async def _messages_since(api: WebApi, limits: Limits, part: PartRequest) -> AsyncGenerator[_Found, None]:
    """What stands after the trigger, in the thread where there is one, in no particular order."""
    where: dict[str, str | int] = {"channel": part.to.chat}
    if part.to.thread:
        call = Call("conversations.replies", limits.replies)
        where["ts"] = part.to.thread
    else:
        call = Call("conversations.history", limits.history)
    where |= {"oldest": part.to.message or "0", "include_all_metadata": "true", "limit": _PAGE}
    for _ in range(_MOST_PAGES):
        await (limits.replies if part.to.thread else limits.history).take(urgent=True)
        page = await api.read(call, where, _Page)
        for message in page.messages:
            # The parent of a thread is part of every answer.
            if float(message.ts) > float(part.to.message or 0):
                yield message
        if page.response_metadata is None or not page.response_metadata.next_cursor:
            return
        where["cursor"] = page.response_metadata.next_cursor
