"""Bad neighbours: models that hang by the hundred, and a chat that takes nothing. Nobody else notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from tests.town import Town, town
from tests.waiting import until

HUNG = 500


def script(messages: list[Message]) -> Reply:
    question = messages[-1].content
    return (
        Reply("late", fault="hang_before_first")
        if question.startswith("hang")
        else Reply(f"fine: {question}")
    )


async def ask(here: Town, texts: list[str]) -> list[Said]:
    """Each in a chat of its own, a few at once."""
    said: list[Said] = []
    for start in range(0, len(texts), 20):
        batch = texts[start : start + 20]
        said += await asyncio.gather(*[here.lark_dm(text, chat=f"oc_{text}") for text in batch])
    return said


async def first_words(here: Town, said: list[Said]) -> list[float]:
    """Seconds from each message to the first words of its answer, once all are answered."""
    for one in said:
        await here.answered([one], lambda one=one: here.lark.chat(one.chat))  # type: ignore[misc]
    replies = [next(shown for shown in here.lark.chat(one.chat) if shown.author == "bot") for one in said]
    return sorted(
        next(at for at, text in reply.history if text.startswith("fine")) - one.at
        for one, reply in zip(said, replies, strict=True)
    )


async def test_five_hundred_hung_replies_hold_up_nobody_elses(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=script,
        settings={
            "limits": {"max_replies": 1000},
            # No card is opened for who waits: the platform's limit is the neighbours' to use.
            "bots": {"stream": False},
            "agents": {"timeouts": {"first_token": "10m", "reply": "20m"}},
            "drain": "0s",
        },
    ) as here:
        before = await first_words(here, await ask(here, [f"before {number}" for number in range(40)]))
        await ask(here, [f"hang {number}" for number in range(HUNG)])
        await until(lambda: len(here.model.calls_made) == HUNG + 40, 30)
        asked = await ask(here, [f"beside {number}" for number in range(40)])
        beside = await first_words(here, asked)
        acks = sorted(one.deliveries[0].took for one in asked)
        print(
            f"beside {HUNG} hung replies: first words p50 {beside[20]:.3f} s (before: {before[20]:.3f} s),"
            f" slowest ack {acks[-1] * 1000:.0f} ms"
        )
        assert beside[20] < 3 * before[20] + 0.5
        assert acks[len(acks) // 2] < 0.25


async def test_a_chat_that_answers_429_delays_only_itself(tmp_path: Path) -> None:
    async with town(tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}")) as here:
        here.slack.add_channel("D2", "im")
        here.slack.fail_next("chat.postMessage", status=429, retry_after=6)
        limited = await here.slack_dm("limited")
        await until(lambda: here.slack.calls["chat.postMessage"] == 1, 10)
        other = await here.slack_dm("other", channel="D2")
        await here.answered([other], lambda: here.slack.thread("D2", None), within=4)
        await here.answered([limited], lambda: here.slack.thread("D1", None), within=20)
