"""From an authentic event to what the core knows: a message, a wish to end its answer, or a reason to ignore it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from channels.commands import command_or_message
from channels.lark.events import (
    EventMessage,
    Header,
    Mention,
    MessageRecalled,
    MessageReceived,
    PostContent,
    PostElement,
    TextContent,
)
from channels.port import ChannelPolicy, Ignored, StopReply, TakenBack
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender, stable_id

CHANNEL = "lark"

_EVERYBODY = "@_all"
_PLACEHOLDER = re.compile(r"(@_user_\d+|@_all)( ?)")
_MICROSECONDS_FROM, _MILLISECONDS_FROM = 10**14, 10**11
_LONGEST_TIME = 20


@dataclass(frozen=True, slots=True)
class Mentions:
    """Who is meant by the placeholders. ``ours`` are our own; ``addressed``: the message speaks to us."""

    names: dict[str, str]
    ours: frozenset[str]
    addressed: bool

    @classmethod
    def of(cls, mentions: Sequence[Mention], own_id: str | None) -> Mentions:
        """``own_id`` is the bot's open_id; while it is unknown the best guess counts, as a message that is
        answered needlessly is better than one that is lost.
        """
        names = {_EVERYBODY: "all"}
        names |= {mention.key: mention.name or mention.key.lstrip("@_") for mention in mentions}
        persons = [mention for mention in mentions if mention.key != _EVERYBODY]
        if own_id is not None:
            ours = [mention for mention in persons if mention.id is not None and mention.id.open_id == own_id]
        elif any(mention.mentioned_type for mention in persons):
            ours = [mention for mention in persons if mention.mentioned_type != "user"]
        else:
            ours = persons
        certain = own_id is not None or len(ours) == 1
        return cls(names, frozenset(mention.key for mention in ours) if certain else frozenset(), bool(ours))

    def resolve(self, text: str) -> str:
        if "@_" not in text:
            return text
        return _PLACEHOLDER.sub(self._name, text)

    def _name(self, placeholder: re.Match[str]) -> str:
        key, space = placeholder.groups()
        if key in self.ours:
            return ""
        return f"@{self.names[key]}{space}" if key in self.names else placeholder[0]


def normalise(  # noqa: PLR0911 -- one for each reason
    header: Header, event: MessageReceived, *, bot: str, own_id: str | None, policy: ChannelPolicy
) -> InboundMessage | StopReply | Ignored:
    sender, message = event.sender, event.message
    if sender.sender_type != "user":
        return Ignored("bot_message")
    open_id = sender.sender_id and sender.sender_id.open_id
    if not (open_id and message.message_id and message.chat_id):
        return Ignored("malformed")
    mentions = Mentions.of(message.mentions or (), own_id)
    if message.chat_type != "p2p" and policy.respond_to == "mentions" and not mentions.addressed:
        return Ignored("not_mentioned")
    try:
        text = _text(message, mentions)
        sent_at = _seconds(message.create_time)
    except ValueError:
        return Ignored("malformed")
    if text is None:
        return Ignored("unsupported_message")
    if not text:
        return Ignored("empty_message")
    received = InboundMessage(
        key=_key(message, bot, header.tenant_key, open_id, policy),
        identity=message.message_id,
        address=Address(
            message.chat_id, message.message_id, message.thread_id or "", open_id, header.tenant_key
        ),
        sender=Sender(open_id, sender.tenant_key or header.tenant_key),
        text=text,
        sent_at=sent_at,
        locale=policy.language_of(text),
    )
    return command_or_message(received)


def taken_back(event: MessageRecalled, *, bot: str) -> TakenBack:
    """Whose message it was is not told; one that was never taken is not found by its turn."""
    return TakenBack(stable_id(CHANNEL, bot, event.message_id))


def _key(
    message: EventMessage, bot: str, tenant: str, open_id: str, policy: ChannelPolicy
) -> ConversationKey:
    thread = sender = ""
    match policy.conversation_per:
        case "auto" if message.thread_id:
            thread = message.thread_id
        case "auto" if message.chat_type != "p2p":
            sender = open_id
        case "thread":
            thread = message.thread_id or message.root_id or message.message_id
        case "sender":
            sender = open_id
        case _:
            pass
    return ConversationKey(CHANNEL, bot, tenant, message.chat_id, thread, sender)


def _text(message: EventMessage, mentions: Mentions) -> str | None:
    """The text as a person would read it; None for a type without one. Raises ValidationError."""
    match message.message_type:
        case "text":
            return mentions.resolve(TextContent.model_validate_json(message.content).text).strip()
        case "post":
            post = PostContent.model_validate_json(message.content)
            lines = ["".join(_inline(element, mentions) for element in line) for line in post.content]
            return "\n".join((post.title, *lines) if post.title else lines).strip()
        case _:
            return None


def _inline(element: PostElement, mentions: Mentions) -> str:  # noqa: PLR0911 -- one for each tag
    text = element.text or ""
    match element.tag:
        case "a":
            return f"[{text}]({element.href})" if element.href and element.href != text else text
        case "at":
            key = element.user_id or ""
            if key in mentions.names:
                return mentions.resolve(key)
            return f"@{element.user_name or key.lstrip('@_')}"
        case "code_block":
            return f"\n```{(element.language or '').lower()}\n{text.rstrip()}\n```\n"
        case "emotion":
            return f":{element.emoji_type}:"
        case "img" | "media" as kind:
            return "[image]" if kind == "img" else "[video]"
        case "hr":
            return "---"
        case _:
            return mentions.resolve(text)


def _seconds(time: str) -> float:
    """The unit is decided by magnitude: documents and examples disagree (docs: "事件概述", "接收消息")."""
    if not (time.isascii() and time.isdigit() and len(time) <= _LONGEST_TIME):
        raise ValueError("not a time")
    count = int(time)
    if count >= _MICROSECONDS_FROM:
        return count / 1e6
    return count / 1e3 if count >= _MILLISECONDS_FROM else float(count)
