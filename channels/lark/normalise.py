"""From an authentic event to what the core knows: a message, a wish to end its answer, or a reason to ignore it."""

from __future__ import annotations

from channels.commands import command_or_message, ordered
from channels.lark.content import Content, read, seconds
from channels.lark.events import EventMessage, Header, MessageRecalled, MessageReceived
from channels.lark.mentions import Mentions
from channels.people import one_line
from channels.port import ChannelPolicy
from channels.received import Ignored, StopReply, TakenBack
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender, stable_id

CHANNEL = "lark"


def normalise(  # noqa: PLR0911 - one for each reason
    header: Header, event: MessageReceived, *, bot: str, own_id: str | None, policy: ChannelPolicy
) -> InboundMessage | StopReply | Ignored:
    sender, message = event.sender, event.message
    if sender.sender_type != "user":
        return Ignored("bot_message")
    open_id = sender.sender_id and sender.sender_id.open_id
    if not (open_id and message.message_id and message.chat_id):
        return Ignored("malformed")
    mentions = Mentions.of(message.mentions or (), own_id)
    spoken_to = mentions.addressed or message.chat_type == "p2p"
    if not spoken_to and policy.respond_to == "mentions":
        return Ignored("not_mentioned")
    try:
        content = read(message.message_type, message.content, mentions)
        sent_at = seconds(message.create_time)
    except ValueError:
        return Ignored("malformed")
    if content is None:
        return Ignored("system_message")
    reason = _nothing_to_answer(content, spoken_to=spoken_to, named=mentions.addressed)
    if reason:
        return Ignored(reason)
    key = conversation_key(
        policy,
        bot,
        header.tenant_key,
        chat=message.chat_id,
        user=open_id,
        direct=message.chat_type == "p2p",
        thread=message.thread_id or "",
        first=message.root_id or message.message_id,
    )
    tenant = sender.tenant_key or header.tenant_key
    received = InboundMessage(
        key=key,
        identity=message.message_id,
        address=_address(message, open_id, header.tenant_key),
        sender=Sender(open_id, tenant),
        text=content.text,
        sent_at=sent_at,
        locale=policy.language_of(content.text or " ".join(file.name for file in content.attachments)),
        declined=content.declined,
        attachments=content.attachments,
        mentioned=_people(message, own_id, header.tenant_key),
        group=message.chat_type != "p2p" and not key.sender,
    )
    if content == Content():
        return ordered(received, "help", "")
    return command_or_message(received)


def taken_back(event: MessageRecalled, *, bot: str) -> TakenBack:
    """Whose message it was is not told; one that was never taken is not found by its turn."""
    return TakenBack(stable_id(CHANNEL, bot, event.message_id))


def conversation_key(
    policy: ChannelPolicy,
    bot: str,
    tenant: str,
    *,
    chat: str,
    user: str,
    direct: bool,
    thread: str = "",
    first: str = "",
) -> ConversationKey:
    """``thread`` where there is one; ``first`` names the message that would begin one. ``direct``: nobody else is in
    the chat.
    """
    narrowed = sender = ""
    match policy.conversation_per:
        case "auto" if thread:
            narrowed = thread
        case "auto" if not direct:
            sender = user
        case "thread":
            narrowed = thread or first
        case "sender":
            sender = user
        case _:
            pass
    return ConversationKey(CHANNEL, bot, tenant, chat, narrowed, sender)


def _nothing_to_answer(content: Content, *, spoken_to: bool, named: bool) -> str | None:
    """Why it is not answered. Who names the bot and says nothing is told what it understands; what nobody said to
    the bot is not declined.
    """
    if content == Content() and not named:
        return "empty_message"
    if content.declined and not (content.text or content.attachments or spoken_to):
        return "unsupported_message"
    return None


def _address(message: EventMessage, user: str, tenant: str) -> Address:
    return Address(message.chat_id, message.message_id, message.thread_id or "", user, tenant)


def _people(message: EventMessage, own_id: str | None, tenant: str) -> tuple[Sender, ...]:
    """Those whom it mentions by name. A bot, and who might be one, is left out."""
    return tuple(
        Sender(mention.id.open_id, tenant, one_line(mention.name))
        for mention in message.mentions or ()
        if mention.id and mention.id.open_id and mention.name
        if mention.mentioned_type == "user" and mention.id.open_id != own_id
    )
