"""What people do instead of writing: press a button of a card, choose from the bot's menu, open its direct message,
add it to a group.

A menu tells the person and no chat: it is meant for the person's direct message, which is learnt from whatever came
from there (``DirectChats``). Reactions are no opinion of an answer: an event names the message alone, and which
answer a message shows is not kept once it has ended; the buttons under it are for that.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ValidationError

from channels.commands import ordered, read_command
from channels.lark import events
from channels.lark.buttons import read_button, toast
from channels.lark.content import seconds
from channels.lark.direct import DirectChats
from channels.lark.events import Header
from channels.lark.normalise import CHANNEL, conversation_key
from channels.port import ChannelPolicy
from channels.received import Ignored, Later, Ordered, Pressed, Received, StopReply, Visited
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Sender, stable_id
from conversation.texts import hint
from conversation.texts.hints import Hint


class _CardActionEvent(BaseModel):
    event: events.CardAction


class _MenuEvent(BaseModel):
    event: events.MenuClicked


class _EnteredEvent(BaseModel):
    event: events.ChatEntered


class _CreatedEvent(BaseModel):
    event: events.ChatCreated


class _AddedEvent(BaseModel):
    event: events.BotAdded


_IGNORED = {
    events.BOT_DELETED: "bot_removed",
    events.REACTION_CREATED: "reaction",
    events.REACTION_DELETED: "reaction",
    "im.message.message_read_v1": "message_read",
}


class Doings:
    """Of one bot. ``direct`` knows the direct messages of its people."""

    def __init__(self, bot: str, policy: ChannelPolicy, direct: DirectChats) -> None:
        self._bot = bot
        self._policy = policy
        self._direct = direct
        self._readers: dict[str, Callable[[Header, bytes, float], Received]] = {
            events.CARD_ACTION: self._pressed,
            events.MENU: self._chosen,
            events.CHAT_ENTERED: self._entered,
            events.CHAT_CREATED: self._created,
            events.BOT_ADDED: self._added,
        }

    def read(self, header: Header, payload: bytes, now: float) -> Received:
        """``now``: in seconds since 1970, where the event tells no time of its own."""
        reader = self._readers.get(header.event_type)
        if reader is None:
            return Ignored(_IGNORED.get(header.event_type, "unsupported_event"))
        try:
            return reader(header, payload, now)
        except ValidationError:
            return Ignored("malformed")

    def _pressed(self, header: Header, payload: bytes, now: float) -> Received:
        event = _CardActionEvent.model_validate_json(payload).event
        found = read_button(event.action.value)
        if found is None:
            return Ignored("unsupported_interaction")
        button, locale = found
        if not header.event_id:
            return Ignored("malformed")
        by = Sender(event.operator.open_id, event.operator.tenant_key or header.tenant_key)
        request = stable_id(CHANNEL, self._bot, f"press:{header.event_id}")
        at = _time(header, now)
        if button.kind == "stop":
            return StopReply(
                button.key,
                request,
                by,
                at,
                done=toast(hint(Hint.STOPPED, locale)),
                nothing=toast(hint(Hint.NOTHING_TO_STOP, locale)),
            )
        place = event.context
        to = Address(place.open_chat_id, place.open_message_id, "", by.id, header.tenant_key)
        return Pressed(button, request, by, at, to, locale)

    def _chosen(self, header: Header, payload: bytes, now: float) -> Received:
        event = _MenuEvent.model_validate_json(payload).event
        written = read_command(f"/{event.event_key.strip().removeprefix('/').replace(':', ' ')}")
        if written is None:
            return Ignored("unknown_menu_key")
        name, argument = written
        person = event.operator.operator_id
        by = Sender(person.open_id, person.tenant_key or header.tenant_key)
        at = float(event.timestamp + 1) if event.timestamp else _time(header, now)

        async def meant() -> Received:
            chat = await self._direct.of(by.id)
            key = self._key(header, chat or by.id, by.id)
            message = InboundMessage(
                key=key,
                identity=f"menu:{header.event_id}",
                address=Address(chat or by.id, "", "", by.id, header.tenant_key),
                sender=by,
                text="",
                sent_at=min(at, now),
                locale=self._policy.language_of(""),
            )
            if chat is None:  # nothing was ever said there: nothing to stop or to forget
                return Ordered(ordered(message, "help", ""))
            if name == "stop":
                return StopReply(key, message.turn_id, by, at)
            return Ordered(ordered(message, name, argument))

        return Later(meant)

    def _entered(self, header: Header, payload: bytes, now: float) -> Received:  # noqa: ARG002 - as the others
        event = _EnteredEvent.model_validate_json(payload).event
        return self._visited(header, event.chat_id, event.operator_id)

    def _created(self, header: Header, payload: bytes, now: float) -> Received:  # noqa: ARG002 - as the others
        event = _CreatedEvent.model_validate_json(payload).event
        return self._visited(header, event.chat_id, event.user)

    def _visited(self, header: Header, chat: str, person: events.Operator) -> Visited:
        self._direct.learn(person.open_id, chat)
        return Visited(
            key=self._key(header, chat, person.open_id),
            by=Sender(person.open_id, person.tenant_key or header.tenant_key),
            to=Address(chat, "", "", person.open_id, header.tenant_key),
            locale=self._policy.language_of(""),
        )

    def _added(self, header: Header, payload: bytes, now: float) -> Received:  # noqa: ARG002 - as the others
        event = _AddedEvent.model_validate_json(payload).event
        person = event.operator_id.open_id
        return Visited(
            key=conversation_key(
                self._policy, self._bot, header.tenant_key, chat=event.chat_id, user=person, direct=False
            ),
            by=Sender(person, event.operator_tenant_key or header.tenant_key),
            to=Address(event.chat_id, "", "", person, header.tenant_key),
            locale=self._policy.language_of(""),
            group=True,
        )

    def _key(self, header: Header, chat: str, person: str) -> ConversationKey:
        return conversation_key(
            self._policy, self._bot, header.tenant_key, chat=chat, user=person, direct=True
        )


def _time(header: Header, now: float) -> float:
    try:
        return seconds(header.create_time)
    except ValueError:
        return now
