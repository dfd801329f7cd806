"""From an authentic event to what a person wants: an answer, an end of it, or nothing from us.

Invariant: a message and its ``app_mention`` twin become equal messages, whichever arrives first: they differ in
``event_id`` only, so the identity is made of workspace, channel and timestamp.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from channels.commands import command_or_message
from channels.port import ChannelPolicy
from channels.received import Edited, Ignored, Revoked, StopReply, TakenBack, Visited
from channels.slack.controls import home_opened, stop_pressed
from channels.slack.events import (
    AppUninstalled,
    Envelope,
    HomeOpened,
    MessageEvent,
    OlderMessage,
    SessionStopped,
    TokensRevoked,
)
from channels.slack.files import attachments
from channels.slack.keys import CHANNEL, conversation_key
from channels.slack.mrkdwn import mentions, readable
from conversation.messages import Address, InboundMessage, Sender, stable_id

_SUBTYPES_OF_PEOPLE = frozenset({None, "file_share", "thread_broadcast"})
_OTHER_SUBTYPES = {"message_deleted": "deleted", "bot_message": "bot_message"}
_CHANNEL_TYPES = frozenset({None, "im", "channel", "group", "mpim"})
_KNOWN_TYPES = frozenset(
    {"message", "app_mention", "agent_session_stopped", "app_home_opened", "tokens_revoked"}
)
_RECORDINGS: dict[str | None, str] = {"slack_audio": "voice", "slack_video": "video"}
_SLACKBOT = "USLACKBOT"


def normalise(  # noqa: PLR0911 - one for each event
    envelope: Envelope, *, bot: str, policy: ChannelPolicy, bot_user: str | None
) -> InboundMessage | Edited | StopReply | TakenBack | Visited | Revoked | Ignored:
    """``bot_user`` is the bot's own user id where it is known already; the event mostly tells it too."""
    tenant = envelope.team_id or envelope.enterprise_id
    match envelope.event:
        case MessageEvent() as event:
            own = {known.user_id for known in envelope.authorizations or () if known.is_bot and known.user_id}
            if bot_user:
                own.add(bot_user)
            if event.removed:
                return _taken_back(event, event.removed, own, tenant=tenant, bot=bot)
            if event.subtype == "message_changed" or event.edited:
                return _edited(event, own, tenant=tenant, bot=bot, policy=policy)
            return _from_message(event, own, tenant=tenant, bot=bot, policy=policy)
        case SessionStopped() as event:
            return stop_pressed(envelope, event, tenant=tenant, bot=bot, policy=policy)
        case HomeOpened() as event:
            return home_opened(event, tenant=tenant, bot=bot, policy=policy)
        case TokensRevoked(tokens=tokens) if tokens.oauth and not tokens.bot:
            return Ignored("user_token_revoked")
        case (TokensRevoked() | AppUninstalled()) as event:
            return Revoked(event.type, tenant or "")
        case event:
            known_type = event is None or event.type in _KNOWN_TYPES
            return Ignored("malformed" if known_type else "unsupported_event")


def _from_message(
    event: MessageEvent, own: Collection[str], *, tenant: str | None, bot: str, policy: ChannelPolicy
) -> InboundMessage | StopReply | Ignored:
    reason = _not_from_a_person(event, own) or _not_for_us(event, own, policy)
    if reason:
        return Ignored(reason)
    if not tenant or not event.user:
        return Ignored("malformed")
    text = readable(event.text or "", own=own)
    declined = tuple(_RECORDINGS[file.subtype] for file in event.files or () if file.subtype in _RECORDINGS)
    if not (text or event.files):
        return Ignored("empty")
    message = _message(event, event.user, text, tenant=tenant, bot=bot, policy=policy)
    return command_or_message(replace(message, declined=declined))


def _edited(
    event: MessageEvent, own: Collection[str], *, tenant: str | None, bot: str, policy: ChannelPolicy
) -> Edited | Ignored:
    """A message that its author changed. For one that mentions the bot now ``app_mention`` is sent, whether it did
    before or not: who forgot to speak to the bot is answered.
    """
    message = event.rewritten if event.subtype == "message_changed" else event
    if message is None or message.edited is None:
        return Ignored(_not_by_a_person(event.message, own) or "unchanged" if event.message else "unchanged")
    meant = _from_message(message, own, tenant=tenant, bot=bot, policy=policy)
    if not isinstance(meant, InboundMessage):
        return meant if isinstance(meant, Ignored) else Ignored("edited")
    if meant.stands_alone or not meant.text:
        return Ignored("edited")
    at = message.edited.at or float(event.ts)
    if event.type != "app_mention":
        return Edited(replace(meant, edited_at=at))
    return Edited(replace(meant, edited_at=at, sent_at=at), or_new=True)


def _taken_back(
    event: MessageEvent, ts: str, own: Collection[str], *, tenant: str | None, bot: str
) -> TakenBack | Ignored:
    """Slack does not always say whose message it was; one that was never taken is not found by its turn."""
    reason = _not_by_a_person(event.previous_message, own) if event.previous_message else None
    if reason:
        return Ignored(reason)
    if not tenant:
        return Ignored("malformed")
    return TakenBack(turn_of(bot, tenant, event.channel, ts))


def turn_of(bot: str, tenant: str, chat: str, ts: str) -> str:
    """The id of the turn that answers this message."""
    return stable_id(CHANNEL, bot, _identity(tenant, chat, ts))


def _identity(tenant: str, chat: str, ts: str) -> str:
    return f"{tenant}:{chat}:{ts}"


def _not_from_a_person(event: MessageEvent, own: Collection[str]) -> str | None:
    if event.subtype not in _SUBTYPES_OF_PEOPLE:
        return _OTHER_SUBTYPES.get(event.subtype or "", "unsupported_subtype")
    return _not_by_a_person(event, own)


def _not_by_a_person(message: MessageEvent | OlderMessage, own: Collection[str]) -> str | None:
    if message.user in own:
        return "own_message"
    # Today's bots post without a subtype (bolt's own filter relies on the bot's id likewise).
    return "bot_message" if message.bot_id or message.user == _SLACKBOT else None


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
    files = attachments([file for file in event.files or () if file.subtype not in _RECORDINGS])
    key = conversation_key(policy, bot, tenant, chat=event.channel, thread=thread, user=user)
    return InboundMessage(
        key=key,
        identity=_identity(tenant, event.channel, event.ts),
        address=Address(
            event.channel, event.ts, thread, user, sender.tenant, "" if sender.tenant == tenant else tenant
        ),
        sender=sender,
        text=text,
        sent_at=float(event.ts),
        locale=policy.language_of(text or " ".join(file.name for file in files)),
        attachments=files,
        group=not event.is_direct and not key.sender,
    )
