"""Two gateways of one bot, together under more load than a platform takes from it.

The platform counts all calls of the bot, from wherever they come. It must refuse none, and every reply is whole.
Measured with each gateway counting for itself: 10 to 14 calls to Slack and 2 to 8 to Lark were answered 429.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gateway.demo.model import Message, Reply
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.town import Town, town


def long_answer(messages: list[Message]) -> Reply:
    return Reply(f"An answer to {messages[-1].content}: " + "word by word it grows. " * 20)


def on_redis() -> dict[str, object]:
    return {"store": {"url": valkey().url, "namespace": fresh_namespace()}}


def refused_for_their_number(here: Town) -> Counter[str]:
    """How often each method was answered 429."""
    refusals = [*here.slack.refusals, *here.lark.refusals]
    return Counter(one.split()[0] for one in refusals if one.endswith(": 429"))


async def test_threads_of_two_gateways_stay_within_what_slack_takes_from_one_bot(tmp_path: Path) -> None:
    """30 threads want a stream, of which Slack opens 20 a minute; the others become posts, one a second."""
    async with town(
        tmp_path, script=long_answer, tokens_per_second=12, replicas=2, settings=on_redis()
    ) as here:
        webhooks = [here.gateway.slack_webhook, here.others[0].slack_webhook]
        said = [
            await here.slack.say(webhooks[number % 2], channel="C1", user="U1", text=f"question {number}")
            for number in range(30)
        ]
        for one in said:
            await here.answered([one], lambda ts=one.ts: here.slack.thread("C1", ts), within=60)  # type: ignore[misc]
        assert refused_for_their_number(here) == {}
        assert here.slack.calls["chat.appendStream"] > 60, "they did grow"


async def test_cards_of_two_gateways_stay_within_what_lark_takes_from_one_app(tmp_path: Path) -> None:
    """60 cards want 240 updates a second, of which Lark takes 50 at once and 1000 a minute."""
    async with town(
        tmp_path, script=long_answer, tokens_per_second=20, replicas=2, settings=on_redis()
    ) as here:
        webhooks = [here.gateway.lark_webhook, here.others[0].lark_webhook]
        said = [
            await here.lark.say(
                webhooks[number % 2], chat=f"oc_{number}", user=f"ou_{number}", text=f"question {number}"
            )
            for number in range(60)
        ]
        for number, one in enumerate(said):
            await here.answered([one], lambda n=number: here.lark.chat(f"oc_{n}"), within=60)  # type: ignore[misc]
        assert refused_for_their_number(here) == {}
        assert here.lark.calls["cardkit.v1.card_element.content"] > 120, "they did grow"
