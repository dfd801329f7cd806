"""What the platform sends, as far as it is read here; everything else in a payload is passed over.

Docs: "事件概述", "接收消息", "撤回消息", "机器人进群", "用户进入与机器人的会话", "机器人自定义菜单事件",
"卡片回传交互".
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

MESSAGE_RECEIVED = "im.message.receive_v1"
MESSAGE_RECALLED = "im.message.recalled_v1"
REACTION_CREATED = "im.message.reaction.created_v1"
REACTION_DELETED = "im.message.reaction.deleted_v1"
BOT_ADDED = "im.chat.member.bot.added_v1"
BOT_DELETED = "im.chat.member.bot.deleted_v1"
CHAT_ENTERED = "im.chat.access_event.bot_p2p_chat_entered_v1"
MENU = "application.bot.menu_v6"
CARD_ACTION = "card.action.trigger"
CHAT_CREATED = "p2p_chat_create"
"""Of version 1: somebody has the bot's direct message for the first time."""

URL_VERIFICATION = "url_verification"

Id = Annotated[str, Field(min_length=1)]


class Encrypted(BaseModel):
    encrypt: str


class Header(BaseModel):
    """``create_time`` is in milliseconds or microseconds, and empty in version 1."""

    event_type: str
    token: str = ""
    app_id: str
    tenant_key: str
    event_id: str = ""
    create_time: str = ""


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


class _Version2(BaseModel):
    header: Header


class _EventOfVersion1(BaseModel):
    type: str
    app_id: str = ""
    tenant_key: str = ""


class _Version1(BaseModel):
    type: Literal["event_callback"]
    uuid: str = ""
    token: str = ""
    event: _EventOfVersion1


def read_header(payload: bytes) -> Header | None:
    """Of an event of either version; None where there is none that can be read."""
    try:
        return _Version2.model_validate_json(payload).header
    except ValidationError:
        pass
    try:
        old = _Version1.model_validate_json(payload)
    except ValidationError:
        return None
    return Header(
        event_type=old.event.type,
        token=old.token,
        app_id=old.event.app_id,
        tenant_key=old.event.tenant_key,
        event_id=old.uuid,
    )


class Operator(BaseModel):
    """Who did something. Card callbacks tell the person's own tenant."""

    open_id: Id
    tenant_key: str = ""


class BotAdded(BaseModel):
    chat_id: Id
    operator_id: Operator
    operator_tenant_key: str = ""


class ChatEntered(BaseModel):
    chat_id: Id
    operator_id: Operator


class ChatCreated(BaseModel):
    """``user`` is the person, whoever began it."""

    chat_id: Id
    user: Operator


class _MenuOperator(BaseModel):
    operator_id: Operator


class MenuClicked(BaseModel):
    """``event_key`` is what the admin wrote beside the menu's item. It tells no chat. ``timestamp`` is in seconds."""

    operator: _MenuOperator
    event_key: str
    timestamp: int = 0


class Action(BaseModel):
    """``value`` is what the button was given; some clients send it as a string."""

    tag: str = ""
    value: dict[str, object] | str | None = None


class ActionPlace(BaseModel):
    open_message_id: Id
    open_chat_id: Id


class CardAction(BaseModel):
    operator: Operator
    action: Action
    context: ActionPlace


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
