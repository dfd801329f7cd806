"""Which conversation something on Slack belongs to."""

from __future__ import annotations

from channels.port import ChannelPolicy
from conversation.keys import ConversationKey

CHANNEL = "slack"


def conversation_key(
    policy: ChannelPolicy, bot: str, tenant: str, *, chat: str, thread: str, user: str
) -> ConversationKey:
    """``thread`` is empty where an answer stands in the chat itself."""
    match policy.conversation_per:
        case "auto" | "thread":
            return ConversationKey(CHANNEL, bot, tenant, chat, thread=thread)
        case "sender":
            return ConversationKey(CHANNEL, bot, tenant, chat, sender=user)
        case "chat":
            return ConversationKey(CHANNEL, bot, tenant, chat)


def is_direct(chat: str) -> bool:
    """Only ids of direct messages begin with D."""
    return chat.startswith("D")
