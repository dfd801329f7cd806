"""From the model's first token to the text that a person sees, on one clock.

The stand-ins keep the platforms' limits and take 5 ms for each call, which is part of what is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from channels.lark.render import PLACEHOLDER
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.benchmarks.tables import percentiles
from tests.town import Town, town

BETWEEN = 0.15
"""Seconds between two messages."""


@pytest.mark.timeout(900)
async def test_first_text_after_the_first_token(full: bool, tmp_path: Path) -> None:
    rounds, messages = (3, 40) if full else (1, 2)
    waits: dict[str, list[float]] = {"Slack direct message": [], "Slack thread": [], "Lark": []}
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        # A fresh gateway has its whole budget; what one round needs fits into it.
        async with town(folder, first_token_after=0.5, tokens_per_second=50, words=40) as here:
            for chat in range(messages):
                here.slack.add_channel(f"D{chat}b", "im")
            directly = [lambda n=n: here.slack_dm(f"#d{n}", channel=f"D{n}b") for n in range(messages)]
            threads = [lambda n=n: here.mention(f"#m{n}", user=f"U{n}") for n in range(min(messages, 15))]
            lark = [lambda n=n: here.lark_dm(f"#l{n}", chat=f"oc_{n}") for n in range(messages)]
            round_ = await asyncio.gather(
                _waits(here, directly, lambda said: here.slack.thread(said.chat, None)),
                _waits(here, threads, lambda said: here.slack.thread(said.chat, said.thread)),
                _waits(here, lark, lambda said: here.lark.chat(said.chat)),
            )
            for all_rounds, this_round in zip(waits.values(), round_, strict=True):
                all_rounds.extend(this_round)
    percentiles("first visible text after the model's first token", "ms", waits, goal="p95 ≤ 150")


async def _waits(
    here: Town, messages: Sequence[Callable[[], Awaitable[Said]]], look: Callable[[Said], list[Shown]]
) -> list[float]:
    """Say them all, wait for their complete answers, and return the milliseconds of each."""
    said: list[Said] = []
    for message in messages:
        said.append(await message())
        await asyncio.sleep(BETWEEN)
    for one in said:
        await here.answered([one], lambda one=one: look(one), within=60)  # type: ignore[misc]
    first_token_at = {call.question: call.first_token_at for call in here.model.calls_made}
    return [(_seen_at(look(one)) - first_token_at[one.text]) * 1e3 for one in said]


def _seen_at(chat: list[Shown]) -> float:
    reply = next(shown for shown in chat if shown.author == "bot")
    return next(at for at, text in reply.history if text not in ("", PLACEHOLDER))
