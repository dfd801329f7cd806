"""People, conversations and messages for tests of the core."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from conversation.keys import ConversationKey
from conversation.messages import Address, Command, InboundMessage, Sender
from conversation.turn import Final, Outcome, Reason

SAID_AT = 1_800_000_000.0
"""When every message was sent."""


class ManualClock:
    """Time stands still until a test moves it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


def key(chat: str = "C1", bot: str = "helpdesk") -> ConversationKey:
    return ConversationKey("slack", bot, "T1", chat)


def message(
    text: str = "hello", *, chat: str = "C1", identity: str = "", bot: str = "helpdesk", user: str = "U1"
) -> InboundMessage:
    """A message in one chat; its identity is its text unless given."""
    return InboundMessage(
        key=key(chat, bot),
        identity=identity or f"{chat}/{text}",
        address=Address(chat, f"m-{text}", "", user, "T1"),
        sender=Sender(user, "T1"),
        text=text,
        sent_at=SAID_AT,
        locale="en",
    )


def command(
    kind: Literal["bind", "clear", "end"],
    agent: str = "",
    *,
    chat: str = "C1",
    bot: str = "helpdesk",
    user: str = "U1",
    number: int = 1,
) -> InboundMessage:
    """What the API, or a person, does to a conversation instead of asking."""
    named = message("", chat=chat, bot=bot, user=user, identity=f"{chat}/{kind} {number}")
    return replace(named, origin="api", command=Command(kind, agent))


def answered(text: str) -> Final:
    return Final((text,), text, Outcome("answered"))


OBEYED = Final((), "", Outcome("obeyed"))

DEAD = Final((), "", Outcome("dead", Reason.DELIVERY_FAILED))
