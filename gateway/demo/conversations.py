"""One conversation of the demonstration, as it is going: what was said, what is visible, since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.demo.judge import RECOGNISED, letters
from gateway.demo.people import Said
from gateway.demo.script import Exchange
from gateway.demo.standin import Shown

Platform = Literal["Slack", "Lark"]


@dataclass(slots=True)
class Turn:
    """A question and how its reply is getting on. Times in seconds since 1970, 0 until it happened.

    ``ts`` and ``text``: the message that shows the reply, and its text; ``cut_at``: when the gateway was killed
    while this reply was being written.
    """

    question: str
    answer: str
    said: Said | None = None
    sent_at: float = 0.0
    first_text_at: float = 0.0
    done_at: float = 0.0
    ts: str = ""
    text: str = ""
    cut_at: float = 0.0

    @property
    def share(self) -> float:
        """How much of the answer is visible, from 0 to 1."""
        return len(self.text) / len(self.answer) if self.first_text_at else 0.0

    @property
    def streaming(self) -> bool:
        return bool(self.first_text_at and not self.done_at)


@dataclass(slots=True)
class Conversation:
    """``chat`` and ``user`` are platform ids; ``root`` is the message that opened the thread (Slack)."""

    platform: Platform
    person: str
    chat: str
    user: str
    turns: tuple[Turn, Turn]
    root: str = ""

    @classmethod
    def of(cls, platform: Platform, number: int, exchange: Exchange) -> Conversation:
        chat = f"C0DEMO{number // 2}" if platform == "Slack" else f"oc_demo{number}"
        user = f"U0DEMO{number}" if platform == "Slack" else f"ou_demo{number}"
        turns = (Turn(exchange.asks, exchange.gets), Turn(exchange.asks_then, exchange.gets_then))
        return cls(platform, exchange.person, chat, user, turns)

    @property
    def name(self) -> str:
        return f"{self.platform} {self.person}"

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
        number = self._turn_of(shown, visible)
        if number is None:
            return None
        turn = self.turns[number - 1]
        turn.ts, turn.text = shown.ts, shown.text
        begins = not turn.first_text_at
        if begins:
            turn.first_text_at = now
        if not turn.done_at and not shown.streaming and visible == letters(turn.answer):
            turn.done_at = now
            return f"reply {number} is complete"
        return f"reply {number} begins to show" if begins else None

    def _turn_of(self, shown: Shown, visible: str) -> int | None:
        for number, turn in enumerate(self.turns, start=1):
            if turn.ts == shown.ts:
                return number
            if visible and not turn.done_at and letters(turn.answer).startswith(visible[:RECOGNISED]):
                return number
        return None
