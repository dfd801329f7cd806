"""Who talks in the demonstration, what they ask, and what the model answers: the contents of ``script.yaml``.

Invariant: every question is asked once, so that an answer in the wrong place is seen.
"""

from __future__ import annotations

import random
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

from gateway.demo.model import Message, Reply

FIRST_TOKEN_SECONDS = (0.3, 1.2)
TOKENS_PER_SECOND = (9.0, 13.0)


class Exchange(BaseModel):
    """One person's two questions, each with its answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str
    asks: str
    gets: str
    asks_then: str
    gets_then: str


class Script(BaseModel):
    """The people on both platforms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slack: tuple[Exchange, ...]
    lark: tuple[Exchange, ...]

    def answer(self, messages: list[Message]) -> Reply:
        """The model's script: the answer written for the question, at a pace of its own."""
        question = messages[-1].content.strip()
        chance = random.Random(question)
        return Reply(
            self._text(question),
            first_token_after=chance.uniform(*FIRST_TOKEN_SECONDS),
            tokens_per_second=chance.uniform(*TOKENS_PER_SECOND),
        )

    def _text(self, question: str) -> str:
        for exchange in (*self.slack, *self.lark):
            if question == exchange.asks:
                return exchange.gets
            if question == exchange.asks_then:
                return exchange.gets_then
        return f"I do not know this question: {question}"


def load() -> Script:
    text = files("gateway.demo").joinpath("script.yaml").read_text(encoding="utf-8")
    return Script.model_validate(yaml.safe_load(text))
