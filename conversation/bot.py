"""A bot as the core sees it: who may talk to it, which agent answers, and how its answers get out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from conversation.busy import Limits, WhenBusy
from conversation.courtesies import Greeting
from conversation.enclosures import Enclosures
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage, Sender
from conversation.outbound import Outbound
from conversation.providers.port import Provider
from conversation.source import Source
from conversation.turn import Reason


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Of a model, in seconds: until the first piece of text, between pieces, and for the whole reply."""

    first_token: float = 60.0
    idle: float = 60.0
    reply: float = 300.0


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with its instructions. ``max_turns`` and ``max_context_tokens`` bound the history it is given.

    ``images``: whether it is shown pictures; ``auto``: it is, and asked again without them where it refuses.
    """

    id: str
    provider: Provider
    system_prompt: str = ""
    max_context_tokens: int = 100_000
    max_turns: int = 100
    timeouts: Timeouts = field(default_factory=Timeouts)
    images: Literal["auto"] | bool = "auto"


@dataclass(frozen=True, slots=True)
class Gates:
    """Who is answered. Empty ``users`` or ``chats`` admit everybody; ``max_age`` is in seconds."""

    enabled: bool = True
    users: frozenset[str] = frozenset()
    chats: frozenset[str] = frozenset()
    external_users: bool = False
    max_age: float = 1800.0

    def on_arrival(self, message: InboundMessage, now: float) -> Reason | None:
        """Why a message that arrives now is not answered."""
        if now - message.sent_at > self.max_age:
            return Reason.STALE
        return self.refusal(message)

    def refusal(self, message: InboundMessage) -> Reason | None:
        """Why a message is not answered, however long it has been waiting."""
        if not self.enabled:
            return Reason.BOT_DISABLED
        if message.origin == "api":
            return None
        if not self.admits(message.sender, message.key):
            return Reason.NOT_ALLOWED
        unreadable = message.declined and not (message.text or message.attachments)
        return Reason.UNSUPPORTED if unreadable else None

    def refusal_to_stop(self, by: Sender, key: ConversationKey, asked_at: float, now: float) -> Reason | None:
        """Why a person may not end a reply of this conversation. What a bot that is switched off is still
        writing may be ended; a wish that arrives late may not, as another reply is being written by then.
        """
        if now - asked_at > self.max_age:
            return Reason.STALE
        return None if self.admits(by, key) else Reason.NOT_ALLOWED

    def admits(self, person: Sender, key: ConversationKey) -> bool:
        """Whether this person may talk with the bot in this conversation."""
        outside = not self.external_users and person.tenant != key.tenant
        unlisted = self.users and person.id not in self.users
        elsewhere = self.chats and key.chat not in self.chats
        return not (outside or unlisted or elsewhere)


@dataclass(frozen=True, slots=True)
class Bot:
    """Without ``keep_texts`` nothing of what is said stays: the model is given no history.

    ``choices`` are the ids of the agents that people may choose with ``/agent``. ``feedback``: 👍 and 👎 stand under
    its answers. ``greeting`` is for who opens it for the first time; None: nobody is greeted. Without a
    ``source`` a turn knows nothing but the texts of its messages;
    without ``enclosures`` its answers bring no files.
    """

    id: str
    agent: Agent
    outbound: Outbound
    gates: Gates = field(default_factory=Gates)
    limits: Limits = field(default_factory=Limits)
    when_busy: WhenBusy = "queue"
    keep_texts: bool = True
    choices: tuple[str, ...] = ()
    feedback: bool = True
    greeting: Greeting | None = None
    source: Source | None = None
    enclosures: Enclosures | None = None

    @property
    def selectable(self) -> tuple[str, ...]:
        """The agents that ``/agent NAME`` takes: the bot's own and its choices; nothing where it has no choices."""
        return tuple(dict.fromkeys((self.agent.id, *self.choices))) if self.choices else ()
