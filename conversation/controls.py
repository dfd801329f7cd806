"""Buttons under a reply that has ended: asking the same again, and what a person thought of the answer.

Invariants:

- what stands under a reply follows from its turn and its end alone, so that a repeated last call draws the same;
- ``Button.parse(str(button)) == button``: a button brings back, through the platform, all that its click needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from conversation.keys import ConversationKey, MalformedKeyError
from conversation.messages import Locale

ButtonKind = Literal["stop", "retry", "good", "bad"]

_ID = re.compile(r"[0-9a-f]{1,64}")


class MalformedButtonError(ValueError):
    """The text is not the value of a button that this version made."""


@dataclass(frozen=True, slots=True)
class Button:
    """What a button means: ``turn`` answered ``person`` (as InboundMessage.person) in the conversation ``key``."""

    kind: ButtonKind
    turn: str
    person: str
    key: ConversationKey

    def __str__(self) -> str:
        """At most a few hundred characters of ASCII (Slack takes 2,000 as a button's value)."""
        return f"{self.kind}:{self.turn}:{self.person}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Button:
        """Raises MalformedButtonError for anything that ``str(button)`` did not write."""
        kind, _, rest = text.partition(":")
        turn, _, rest = rest.partition(":")
        person, _, key = rest.partition(":")
        if not (_ID.fullmatch(turn) and _ID.fullmatch(person)):
            raise MalformedButtonError("not a button of ours")
        for known in get_args(ButtonKind):
            if known == kind:
                try:
                    return cls(known, turn, person, ConversationKey.parse(key))
                except MalformedKeyError as error:
                    raise MalformedButtonError("not a button of ours") from error
        raise MalformedButtonError("not a button of this version")


@dataclass(frozen=True, slots=True)
class Controls:
    """What the last part of a reply shows under its text, in the language ``locale``.

    ``retry``: a button that asks the same again. ``feedback``: 👍 and 👎. ``note``: a sentence in place of buttons.
    """

    turn: str
    person: str
    key: ConversationKey
    locale: Locale
    retry: bool = False
    feedback: bool = False
    note: str = ""

    def value(self, kind: ButtonKind) -> str:
        """What the button of this kind brings back when it is pressed."""
        return str(Button(kind, self.turn, self.person, self.key))
