"""From an authentic event to the message that is to be answered, or the reason why it is not.

Invariant: a message and its ``app_mention`` twin become equal messages, whichever arrives first: they differ in
``event_id`` only, so the identity is made of workspace, channel and timestamp.
"""

from __future__ import annotations

from collections.abc import Collection

from channels.port import ChannelPolicy, Ignored
from channels.slack.events import Envelope, MessageEvent
from channels.slack.mrkdwn import mentions, readable
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender

_SUBTYPES_OF_PEOPLE = frozenset({None, "file_share", "thread_broadcast"})
_OTHER_SUBTYPES = {"message_changed": "edited", "message_deleted": "deleted", "bot_message": "bot_message"}
_CHANNEL_TYPES = frozenset({None, "im", "channel", "group", "mpim"})
_MESSAGE_TYPES = frozenset({"message", "app_mention"})
_SLACKBOT = "USLACKBOT"


def normalise(
    envelope: Envelope, *, bot: str, policy: ChannelPolicy, bot_user: str | None
) -> InboundMessage | Ignored:
    """``bot_user`` is the bot's own user id where it is known already; the event mostly tells it too."""
    event = envelope.event
    if not isinstance(event, MessageEvent):
        known = event is None or event.type in _MESSAGE_TYPES
        return Ignored("malformed" if known else "unsupported_event")
    own = {known.user_id for known in envelope.authorizations or () if known.is_bot and known.user_id}
    if bot_user:
        own.add(bot_user)
    reason = _not_from_a_person(event, own) or _not_for_us(event, own, policy)
    if reason:
        return Ignored(reason)
    tenant = envelope.team_id or envelope.enterprise_id
    if not tenant or not event.user:
        return Ignored("malformed")
    text = readable(event.text or "", own=own)
    if not text:
        return Ignored("empty")
    return _message(event, event.user, text, tenant=tenant, bot=bot, policy=policy)


def _not_from_a_person(event: MessageEvent, own: Collection[str]) -> str | None:
    if event.subtype not in _SUBTYPES_OF_PEOPLE:
        return _OTHER_SUBTYPES.get(event.subtype or "", "unsupported_subtype")
    if event.user in own:
        return "own_message"
    # Today's bots post without a subtype (bolt's own filter relies on the bot's id likewise).
    if event.bot_id or event.user == _SLACKBOT:
        return "bot_message"
    return "edited" if event.edited else None


def _not_for_us(event: MessageEvent, own: Collection[str], policy: ChannelPolicy) -> str | None:
    if event.channel_type not in _CHANNEL_TYPES:
        return "unsupported_event"
    if event.type == "app_mention" or event.is_direct or policy.respond_to == "all":
        return None
    return None if mentions(event.text or "", own) else "not_mentioned"


def _message(
    event: MessageEvent, user: str, text: str, *, tenant: str, bot: str, policy: ChannelPolicy
) -> InboundMessage:
    sender = Sender(user, event.user_team or event.team or event.source_team or tenant)
    thread = event.thread_ts or ""
    if not thread and (not event.is_direct or policy.conversation_per == "thread"):
        thread = event.ts
    match policy.conversation_per:
        case "auto" | "thread":
            key = ConversationKey("slack", bot, tenant, event.channel, thread=thread)
        case "sender":
            key = ConversationKey("slack", bot, tenant, event.channel, sender=user)
        case "chat":
            key = ConversationKey("slack", bot, tenant, event.channel)
    return InboundMessage(
        key=key,
        identity=f"{tenant}:{event.channel}:{event.ts}",
        address=Address(event.channel, event.ts, thread, user, sender.tenant),
        sender=sender,
        text=text,
        sent_at=float(event.ts),
        locale=policy.language_of(text),
    )
