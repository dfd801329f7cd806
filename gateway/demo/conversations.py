"""One conversation of the demonstration, as it is going: what was said, what is visible, since when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.demo.judge import RECOGNISED, letters
from gateway.demo.people import Said
from gateway.demo.script import Exchange
from gateway.demo.standin import Shown

Platform = Literal["Slack", "Lark"]


@dataclass(slots=True)
class Turn:
    """A question and how its reply is getting on. Times in seconds since 1970, 0 until it happened."""

    question: str
    answer: str
    said: Said | None = None
    sent_at: float = 0.0
    first_text_at: float = 0.0
    done_at: float = 0.0
    text: str = ""
    cut_at: float = 0.0

    @property
    def streaming(self) -> bool:
        return bool(self.first_text_at and not self.done_at)


@dataclass(slots=True)
class Conversation:
    """``chat`` and ``user`` are platform ids; ``key`` names the panel."""

    platform: Platform
    person: str
    chat: str
    user: str
    turns: tuple[Turn, Turn]
    reactions: int = 0
    events: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def of(cls, platform: Platform, number: int, exchange: Exchange) -> Conversation:
        chat = f"C0DEMO{number // 2}" if platform == "Slack" else f"oc_demo{number}"
        user = f"U0DEMO{number}" if platform == "Slack" else f"ou_demo{number}"
        turns = (Turn(*exchange.first), Turn(*exchange.second))
        return cls(platform, exchange.person, chat, user, turns)

    @property
    def current(self) -> Turn:
        """The turn whose reply a person would be looking at."""
        first, second = self.turns
        return second if second.first_text_at or (first.done_at and second.sent_at) else first

    @property
    def done(self) -> bool:
        return all(turn.done_at for turn in self.turns)

    def saw(self, shown: Shown, now: float) -> str | None:
        """Take note of a change to a bot's message: what it means, if it means something."""
        visible = letters(shown.text)
        for number, turn in enumerate(self.turns, start=1):
            if not visible or not letters(turn.answer).startswith(visible[:RECOGNISED]):
                continue
            turn.text = shown.text
            begins = not turn.first_text_at
            if begins:
                turn.first_text_at = now
            if not turn.done_at and not shown.streaming and visible == letters(turn.answer):
                turn.done_at = now
                return f"reply {number} is complete"
            return f"reply {number} begins to show" if begins else None
        return None
