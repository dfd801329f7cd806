"""What the platform sends, as far as it is read here; everything else in a payload is passed over.

Docs: "事件概述", "接收消息", "接收消息内容结构", "撤回消息".
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

MESSAGE_RECEIVED = "im.message.receive_v1"
MESSAGE_RECALLED = "im.message.recalled_v1"
URL_VERIFICATION = "url_verification"


class Encrypted(BaseModel):
    encrypt: str


class Header(BaseModel):
    event_type: str
    token: str = ""
    app_id: str
    tenant_key: str


class UserId(BaseModel):
    open_id: str | None = None


class EventSender(BaseModel):
    sender_id: UserId | None = None
    sender_type: str
    tenant_key: str | None = None


class Mention(BaseModel):
    """``key`` is the placeholder in the text. ``mentioned_type`` is "user" or "bot", not in older events."""

    key: str
    id: UserId | None = None
    name: str | None = None
    mentioned_type: str | None = None


class EventMessage(BaseModel):
    """``create_time`` is in milliseconds or microseconds. ``content`` is JSON, its shape set by the type."""

    message_id: str
    root_id: str | None = None
    thread_id: str | None = None
    create_time: str
    chat_id: str
    chat_type: str
    message_type: str
    content: str
    mentions: list[Mention] | None = None


class MessageReceived(BaseModel):
    sender: EventSender
    message: EventMessage


class MessageRecalled(BaseModel):
    """A message was taken back, by its author or by somebody who may do it for him."""

    message_id: Annotated[str, Field(min_length=1)]


class Envelope(BaseModel):
    """An event about a message, version 2.0."""

    header: Header
    event: Annotated[MessageReceived | MessageRecalled, Field(union_mode="left_to_right")]


class ProbeHeader(BaseModel):
    token: str | object = None
    event_type: str | object = None


class Probe(BaseModel):
    """Any JSON object, looked at for what tells authentic from not and unsupported from malformed."""

    header: ProbeHeader | object = None
    token: str | object = None
    type: str | object = None
    challenge: str | object = None

    def any_token(self) -> str | None:
        if isinstance(self.header, ProbeHeader) and isinstance(self.header.token, str):
            return self.header.token
        return self.token if isinstance(self.token, str) else None

    def event_type(self) -> str:
        """Empty where there is none."""
        written = self.header.event_type if isinstance(self.header, ProbeHeader) else None
        return written if isinstance(written, str) else ""

    def is_other_event(self) -> bool:
        """Whether it is an event, of whatever version, that is not about a message."""
        if isinstance(self.header, ProbeHeader):
            known = {MESSAGE_RECEIVED, MESSAGE_RECALLED}
            return isinstance(self.header.event_type, str) and self.header.event_type not in known
        return self.type == "event_callback"


class TextContent(BaseModel):
    text: str


class PostElement(BaseModel):
    tag: str
    text: str | None = None
    href: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    language: str | None = None
    emoji_type: str | None = None


class PostContent(BaseModel):
    title: str | None = None
    content: list[list[PostElement]]
