"""What a channel makes of a request: a message, a wish about one, or a reason to do nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from conversation.controls import Button
from conversation.keys import ConversationKey
from conversation.messages import Address, InboundMessage, Locale, Sender


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request as it arrived. ``headers`` compares names without case; ``now`` is in seconds since 1970."""

    headers: Mapping[str, str]
    body: bytes
    now: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """The platform asks whether this URL is ours; ``body`` is the JSON to answer."""

    body: bytes


NOTHING_TO_SAY = b"{}"
"""The body of an answer that the platform does not show."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Authentic, and nothing to do. ``reason`` is one word in snake case, counted and put in a header.

    ``body`` is the JSON to answer, where the platform shows it to the person.
    """

    reason: str
    body: bytes = NOTHING_TO_SAY


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not authentic (401), or neither authentic nor readable (400). ``reason`` is for the operator's log."""

    status: Literal[400, 401]
    reason: str


@dataclass(frozen=True, slots=True)
class StopReply:
    """A person wants the reply that this conversation is writing, or would write next, to end.

    ``request`` is equal for all deliveries of this one wish. ``by`` wished it at ``asked_at``, in seconds since
    1970 by the platform's clock. ``done`` and ``nothing`` are the JSON to answer when a reply was stopped and
    when there was none, where the platform shows it to the person.
    """

    key: ConversationKey
    request: str
    by: Sender
    asked_at: float
    done: bytes = NOTHING_TO_SAY
    nothing: bytes = NOTHING_TO_SAY


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A person took the message of this turn back: it is not to be answered (any further).

    ``turn_id`` as InboundMessage.turn_id; there need not be such a turn.
    """

    turn_id: str


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Authentic, and nothing to answer: the channel itself has to keep or to forget something before the platform
    hears that it was received, such as that an app was taken out of a workspace.

    ``keep`` raises StoreUnavailableError; doing it twice is harmless. ``reason`` is as of Ignored.
    """

    keep: Callable[[], Awaitable[None]]
    reason: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A person changed a message. The new text is answered if the old one still waits; else the edit is left.

    ``message`` is as a new one would be, with the identity of the old one and its ``edited_at``. ``or_new``: the old
    one may not have been for the bot, and then the new one is answered.
    """

    message: InboundMessage
    or_new: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command, or a question about the bot, that was given by a control of the platform (a slash command, a menu)
    instead of in a message: it stands in the conversation's line like a message.

    ``taken`` is the body of the HTTP answer, where the platform shows it to the person or wants a form of its own.
    """

    message: InboundMessage
    taken: bytes = NOTHING_TO_SAY


@dataclass(frozen=True, slots=True)
class Told:
    """A question about the bot that the body of the HTTP answer answers already."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Pressed:
    """A person pressed a button under a reply; a stop button is a StopReply instead.

    ``request`` is equal for all deliveries of this click. ``place`` names the message with the button and, as sender,
    who pressed it. ``locale`` is the language of what this person is told.
    """

    button: Button
    request: str
    by: Sender
    at: float
    place: Address
    locale: Locale


@dataclass(frozen=True, slots=True)
class Visited:
    """A person opened the direct message with the bot, and has not said anything (yet); or, ``group``, added the bot
    to a group.

    ``to``: where a greeting goes, in the conversation ``key``.
    """

    key: ConversationKey
    by: Sender
    to: Address
    locale: Locale
    group: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """What it means has to be looked up first. ``meant`` says it, within what is left of the platform's patience; it
    raises StoreUnavailableError.
    """

    meant: Callable[[], Awaitable[Received]]


@dataclass(frozen=True, slots=True)
class Revoked:
    """The platform took the bot's credentials away, or the bot was removed from ``tenant``.

    ``what`` is one word in snake case, as the platform calls it: tokens_revoked, app_uninstalled …
    """

    what: str
    tenant: str


Received = (
    Challenge
    | Ignored
    | Rejected
    | InboundMessage
    | Edited
    | Ordered
    | Told
    | StopReply
    | TakenBack
    | Pressed
    | Visited
    | Later
    | Revoked
    | Upkeep
)
