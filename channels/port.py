"""What a chat platform is to the gateway: one ``Channel`` object per bot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from channels.installing import Installer
from channels.received import Received, WebhookRequest
from conversation.enclosures import Enclosures
from conversation.keys import ConversationKey
from conversation.messages import Address, Locale
from conversation.outbound import Outbound
from conversation.source import Source
from conversation.texts import locale_of


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """What an admin decides about a bot that its channel has to know.

    ``conversation_per``: what makes one conversation (``auto`` as in docs/configuration). ``respond_to``: in
    groups, only messages that mention the bot, or all. ``stream``: show the answer as it grows, or once.
    ``locale``: of notices; ``auto`` follows the language of the message, and without words is ``wordless``.
    """

    conversation_per: Literal["auto", "thread", "sender", "chat"] = "auto"
    respond_to: Literal["mentions", "all"] = "mentions"
    stream: bool = True
    locale: Literal["auto"] | Locale = "auto"
    wordless: Locale = "en"

    def language_of(self, text: str) -> Locale:
        """Of notices to somebody who wrote this."""
        if self.locale != "auto":
            return self.locale
        return locale_of(text) if text.strip() else self.wordless


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request was answered: a status of 200 once it is durable, 503 where the platform is to send it again."""

    status: int
    body: bytes


Take = Callable[[WebhookRequest], Awaitable[Reply]]
"""What every webhook goes through, however it came."""


class Transport(Protocol):
    """Another way than HTTP on which a platform's events come: a connection that this process makes."""

    @property
    def connected(self) -> bool: ...

    async def run(self, take: Take) -> None:
        """Keep connected until cancelled, and hand each event to ``take`` as the webhook that it would have been.

        An event is acknowledged only after a reply of 2xx. At most a stated number is being taken at once. Cancelled,
        it receives nothing more, acknowledges what was being taken, which costs seconds at most, and ends.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of ``turnkeeper check``: what was asked, whether it is well, and what it said or what to do."""

    subject: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Named:
    """The message that a link names: the turn that answers it, if there is one, and its conversation where the link
    tells that too.
    """

    turn_id: str
    key: ConversationKey | None = None


MOST_SEEN = 50
"""Types of events that are remembered. An app subscribes to a handful."""

PROBE_TENANT = "turnkeeper-selftest"
"""The workspace or tenant of a probe: none of a platform's own ids looks like it."""


@dataclass(frozen=True, slots=True)
class Need:
    """A scope or an event that an app has to have at its platform, and what for, in English and Chinese.

    ``optional``: without, the bot works with less.
    """

    name: str
    en: str
    zh: str
    optional: bool = False


class Channel(Protocol):
    """One bot on its platform."""

    @property
    def outbound(self) -> Outbound: ...

    @property
    def source(self) -> Source:
        """What the platform tells besides its events."""
        ...

    @property
    def enclosures(self) -> Enclosures:
        """Files of its answers."""
        ...

    def receive(self, request: WebhookRequest) -> Received:
        """Verify, decrypt, parse and normalise one webhook. Never raises, whatever the request holds."""
        ...

    async def start(self) -> None:
        """Begin what the channel needs to know about itself. Does not wait for, nor fail with, the platform."""
        ...

    @property
    def installer(self) -> Installer | None:
        """None of a bot that is in one workspace or tenant, or is not installed by people's browsers."""
        ...

    @property
    def transport(self) -> Transport | None:
        """None where events come over HTTP, and of a draft."""
        ...

    async def check(self) -> tuple[Finding, ...]:
        """Ask the platform once whether the credentials work."""
        ...

    async def close(self) -> None: ...

    def toast(self, text: str) -> bytes | None:
        """The JSON that answers a pressed button so that the person sees this text; None where the platform shows no
        answer: then it is whispered.
        """
        ...

    def address_of(self, key: ConversationKey, now: float) -> Address:
        """Where something goes that answers no message of a person, but belongs to this conversation, from ``now``
        on, in seconds since 1970.
        """
        ...

    async def named(self, link: str) -> Named | None:
        """What a link to a message of this platform names; None for any other text, and for a draft.

        Raises DeliveryError where the platform has to be asked, and does not answer.
        """
        ...

    @property
    def seen_events(self) -> frozenset[str]:
        """The types of authentic events since this object was made, named as in the app's settings; 50 at most."""
        ...

    @property
    def held_back(self) -> float:
        """Seconds for which a call to the platform would have to wait now, because of its limits."""
        ...

    async def missing_scopes(self) -> tuple[str, ...] | None:
        """Scopes that the app needs and does not have; None where the platform does not tell. It is asked once.

        Raises DeliveryError.
        """
        ...

    def probe(self, text: str, now: float) -> WebhookRequest | None:
        """A message to the bot in a direct message, signed (and encrypted) as the platform would: ``receive`` makes
        an InboundMessage of it. None for a draft. It is not among ``seen_events``.
        """
        ...

    def challenge_probe(self, challenge: str, now: float) -> WebhookRequest | None:
        """The platform's question whether a URL is ours, likewise. ``challenge`` is to be in the answer."""
        ...
