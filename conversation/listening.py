"""Asks the model and feeds what it says to the relay, until its answer is complete.

Invariants:

- the model is asked again within an attempt only while it did nothing: the person has seen nothing of its answer, and
  it told of no step on its way;
- the waits for the first piece, for each next one and for the whole are bounded; a step under way may take the time
  that the whole has.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from conversation.bot import Agent
from conversation.providers.port import Prompt, ProviderError
from conversation.question import Question
from conversation.relay import Relay
from conversation.steps import Step
from conversation.turn import Reason

MODEL_TRIES = 3
"""Requests to the model before its refusal is told to the person."""

LONGEST_MODEL_WAIT = 10.0
"""Seconds of a model's ``Retry-After`` that are waited for; with a longer one the person is told at once."""

_IDLE_SLACK = 0.02
"""Share of the idle timeout by which it may come early: moving a timer costs more than a token (measured)."""


async def listen(agent: Agent, relay: Relay, question: Question, prompt: Callable[[], Prompt]) -> None:
    """``prompt`` is made of the question as it stands, which loses its images where the model refuses them. Raises
    ProviderError where no complete answer is to be had.
    """
    asked = prompt()
    try:
        async with asyncio.timeout(agent.timeouts.reply):
            for tried in range(1, MODEL_TRIES + 1):
                try:
                    await _stream(agent, asked, relay, question.lead)
                except ProviderError as failure:
                    unseen = question.images and agent.images == "auto" and tried < MODEL_TRIES
                    if unseen and _is_refusal(failure, relay):
                        question.without_images()
                        asked = prompt()
                        continue
                    wait = failure.retry_after
                    last = tried == MODEL_TRIES or relay.has_begun
                    if last or wait is None or wait > LONGEST_MODEL_WAIT:
                        raise
                    await asyncio.sleep(max(wait, 0.25 * 2**tried))
                else:
                    return
    except TimeoutError:
        raise ProviderError(
            Reason.MODEL_TIMEOUT, f"no complete reply in {agent.timeouts.reply:g} s"
        ) from None


def _is_refusal(failure: ProviderError, relay: Relay) -> bool:
    """Whether the model will not have this prompt, and nothing was done for an answer."""
    return failure.reason is Reason.MODEL_ERROR and failure.retry_after is None and not relay.has_begun


async def _stream(agent: Agent, prompt: Prompt, relay: Relay, lead: str) -> None:
    """``lead`` is shown before the first piece."""
    loop = asyncio.get_running_loop()
    idle = agent.timeouts.idle
    moved_at = -math.inf
    patience = asyncio.timeout(agent.timeouts.first_token)

    def took(step: Step) -> None:
        nonlocal moved_at
        relay.step(step)
        moved_at = -math.inf
        wait = idle if relay.has_text else agent.timeouts.first_token
        patience.reschedule(None if relay.is_working else loop.time() + wait)

    try:
        async with patience, aclosing(agent.provider.stream(replace(prompt, step=took))) as pieces:
            async for piece in pieces:
                relay.feed(lead + piece if lead else piece)
                lead = ""
                now = loop.time()
                if now - moved_at > idle * _IDLE_SLACK:
                    patience.reschedule(now + idle)
                    moved_at = now
    except TimeoutError:
        if not patience.expired():
            raise
        waited_for = "next" if relay.has_text else "first"
        raise ProviderError(Reason.MODEL_TIMEOUT, f"the {waited_for} piece of text did not come") from None
