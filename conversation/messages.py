"""What a person said, after its channel verified and normalised it.

A message is the platform's no longer: no platform type and no raw payload goes further in than this.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from conversation.keys import ConversationKey

Locale = Literal["en", "zh"]


def person_id(channel: str, bot: str, user: str) -> str:
    """Names a person, by the platform's id, among all people of a bot, in 16 characters."""
    source = f"{channel}\x1f{bot}\x1f{user}"
    return hashlib.blake2b(source.encode(), digest_size=8).hexdigest()


def stable_id(channel: str, bot: str, identity: str) -> str:
    """24 characters for something that a platform told a bot: the same on every replica and for every delivery."""
    source = f"{channel}\x1f{bot}\x1f{identity}"
    return hashlib.blake2b(source.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Sender:
    """The person. ``tenant`` is the workspace or tenant the person belongs to, which may not be the bot's."""

    id: str
    tenant: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an answer goes: under ``message`` in ``thread`` of ``chat``.

    ``thread`` is empty where the answer stands in the chat itself. ``sender`` and ``tenant`` name the person who
    is answered, which Slack asks for when a stream is opened. ``home`` is the workspace or tenant in which the bot
    is, where that is not the person's own.
    """

    chat: str
    message: str
    thread: str
    sender: str
    tenant: str
    home: str = ""

    @property
    def bot_tenant(self) -> str:
        """Whose installation of the app answers."""
        return self.home or self.tenant


@dataclass(frozen=True, slots=True)
class Command:
    """What is done to a conversation when its turn has come, instead of asking the model.

    ``bind``: from then on ``agent`` answers. ``clear``: what was said is forgotten. ``end``: both are undone, and the
    next message begins afresh.
    """

    kind: Literal["bind", "clear", "end"]
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message. Its bytes stay at the platform until the turn begins.

    ``media_type`` and ``size`` (bytes; 0: not told) are what the platform or the sender claims. ``ref`` is written
    and read by the channel alone: what it needs to fetch the file.
    """

    kind: Literal["image", "file"]
    name: str
    media_type: str = ""
    size: int = 0
    ref: str = ""


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message to be answered, or a ``command`` to be obeyed (then ``text`` is empty).

    ``identity`` is equal for all deliveries and twins of one message and differs between messages of a bot.
    ``sent_at`` is the platform's own time of the message, in seconds since 1970. ``locale`` is the language of
    notices to this person. ``origin``: who may write was decided by the platform's events, or by the API's roles.
    ``edited_at``: ``text`` is what it was changed to at that time, by the platform's clock; 0 if it was not.
    ``asks``: the text is a question about the bot itself, which no model answers. ``declined`` names what else the
    message holds and this bot cannot read, such as a voice message or the name of a file.
    ``traceparent``, as W3C writes it: where the trace of the turn goes on; empty while nothing is traced.
    ``group``: several people may talk in this conversation. ``mentioned`` are people whom the event names.
    """

    key: ConversationKey
    identity: str
    address: Address
    sender: Sender
    text: str
    sent_at: float
    locale: Locale
    origin: Literal["platform", "api"] = "platform"
    command: Command | None = None
    edited_at: float = 0.0
    asks: Literal["", "help", "agents"] = ""
    declined: tuple[str, ...] = ()
    traceparent: str = ""
    attachments: tuple[Attachment, ...] = ()
    group: bool = False
    mentioned: tuple[Sender, ...] = ()

    @property
    def stands_alone(self) -> bool:
        """Whether it shares its turn with no other message: it is not for the model."""
        return self.command is not None or bool(self.asks)

    @property
    def turn_id(self) -> str:
        """Names the turn that answers this message: the same on every replica and for every redelivery."""
        return stable_id(self.key.channel, self.key.bot, self.identity)

    @property
    def person(self) -> str:
        """Names the sender, see ``person_id``."""
        return person_id(self.key.channel, self.key.bot, self.sender.id)

    @property
    def said(self) -> str:
        """The text, and of each file that it was there."""
        notes = [f"[{file.kind}: {file.name}]" for file in self.attachments]
        return "\n".join((self.text, *notes) if self.text else notes)
