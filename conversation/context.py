"""What the model is given: the agent's instructions, as much of the conversation as fits, and the message."""

from __future__ import annotations

from collections.abc import Sequence

from conversation.bot import Agent
from conversation.providers.port import Entry, Image, Prompt

ENTRY_OVERHEAD = 4
"""Tokens that an entry costs besides its text (OpenAI's counting guide: 3 per message and its role)."""


IMAGE_TOKENS = 1_500
"""What a picture is taken to cost (OpenAI's guide "Images and vision": 85 to about 1,500 for most)."""


def prompt(
    agent: Agent, history: Sequence[Entry], question: str, images: Sequence[Image] = (), said: str = ""
) -> Prompt:
    """The newest whole turns of ``history`` that fit into the agent's budget, then the question itself."""
    asked = tokens(question) + IMAGE_TOKENS * len(images)
    budget = agent.max_context_tokens - tokens(agent.system_prompt) - asked - 2 * ENTRY_OVERHEAD
    start = len(history)
    spent = 0
    for index in range(len(history) - 1, -1, -1):
        spent += tokens(history[index].text) + ENTRY_OVERHEAD
        if spent > budget:
            break
        if history[index].role == "user":
            start = index
    return Prompt(agent.system_prompt, (*history[start:], Entry("user", question, tuple(images))), said=said)


def tokens(text: str) -> int:
    """An estimate that errs on the high side: four ASCII characters a token, one of any other script."""
    ascii_only = len(text.encode("ascii", "ignore"))
    return ascii_only // 4 + (len(text) - ascii_only) + 1
