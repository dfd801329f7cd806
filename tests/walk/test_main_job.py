"""The main job, from signed webhook to the finished reply, with the real process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from conversation.texts import notice
from conversation.turn import Reason
from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.town import Town, town
from tests.waiting import until


async def test_ten_lark_messages_at_once_interleave_and_no_conversation_overlaps(tmp_path: Path) -> None:
    async with town(tmp_path, first_token_after=0.3, tokens_per_second=40) as here:

        async def converse(number: int) -> list[Said]:
            first = await here.lark_dm(f"#lark{number} one", chat=f"oc_{number}")
            second = await here.lark_dm(f"#lark{number} two", chat=f"oc_{number}")
            return [first, second]

        conversations = await asyncio.gather(*[converse(number) for number in range(10)])
        for number, said in enumerate(conversations):
            await here.answered(said, lambda n=number: here.lark.chat(f"oc_{n}"))  # type: ignore[misc]
        _no_reply_waited_for_anothers_model(here, conversations)
        assert here.lark.open_cards() == []


async def test_ten_slack_mentions_at_once_interleave_and_no_conversation_overlaps(tmp_path: Path) -> None:
    async with town(tmp_path, first_token_after=0.3, tokens_per_second=40) as here:

        async def converse(number: int) -> list[Said]:
            user = f"U{number}"
            first = await here.mention(f"#slack{number} one", user=user)
            second = await here.mention(f"#slack{number} two", thread=first.ts, user=user)
            return [first, second]

        conversations = await asyncio.gather(*[converse(number) for number in range(10)])
        for said in conversations:
            await here.answered(said, lambda s=said: here.slack.thread("C1", s[0].thread))  # type: ignore[misc]
        _no_reply_waited_for_anothers_model(here, conversations)
        assert here.slack.open_streams() == []


def _no_reply_waited_for_anothers_model(here: Town, conversations: list[list[Said]]) -> None:
    """Judged from what the model saw: all first requests overlap, none of one conversation does."""
    assert here.model.peak >= 10
    assert set(here.model.max_concurrency.values()) == {1}
    for said in conversations:
        calls = [call for call in here.model.calls_made if call.question in {one.text for one in said}]
        assert len(calls) == len(said), "the model was asked once for each message"
        for earlier, later in pairwise(calls):
            assert earlier.ended_at <= later.started_at
    first_waits = [call.started_at for call in here.model.calls_made[:10]]
    assert max(first_waits) - min(first_waits) < 1.0


async def test_a_slack_direct_message_grows_by_edits_and_stays_out_of_threads(tmp_path: Path) -> None:
    async with town(tmp_path, tokens_per_second=20, words=120) as here:
        said = await here.slack_dm("hello")
        assert sorted(said.admissions) == ["accepted"]
        await here.answered([said], lambda: here.slack.thread("D1", None))
        (reply,) = [shown for shown in here.slack.thread("D1", None) if shown.author == "bot"]
        assert reply.thread is None
        assert len(reply.history) >= 3, "it was seen growing"


async def test_both_twins_of_a_mention_and_every_redelivery_get_one_answer(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        said = await here.mention("hello")
        assert sorted(said.admissions) == ["accepted", "duplicate"]
        await here.answered([said], lambda: here.slack.thread("C1", said.thread))
        await here.slack.settle()
        assert set(said.admissions[2:]) == {"duplicate"}
        assert here.faults([said], here.slack.thread("C1", said.thread)) == []


async def test_the_history_of_a_conversation_goes_with_each_request(tmp_path: Path) -> None:
    async with town(tmp_path, settings={"agents": {"system_prompt": "Be kind."}}) as here:
        first = await here.lark_dm("my name is Ada")
        await here.answered([first], lambda: here.lark.chat("oc_1"))
        second = await here.lark_dm("what is my name?")
        await here.answered([first, second], lambda: here.lark.chat("oc_1"))
        asked = [(message.role, message.content) for message in here.model.calls_made[-1].messages]
        assert asked == [
            ("system", "Be kind."),
            ("user", "my name is Ada"),
            ("assistant", here.model.expected_answer("my name is Ada")),
            ("user", "what is my name?"),
        ]


async def test_a_lark_group_is_answered_when_the_bot_is_mentioned(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        url = here.gateway.lark_webhook
        said = await here.lark.say(url, chat="oc_g", user="ou_1", text="hello", chat_type="group")
        await here.answered([said], lambda: here.lark.chat("oc_g"))
        assert here.model.calls_made[0].question == "hello", "the bot's own mention is stripped"
        quiet = await here.lark.say(
            url, chat="oc_g", user="ou_1", text="not for you", chat_type="group", mention=False
        )
        assert quiet.admissions[0].startswith("ignored")


FAILURES = {
    "answers 500": (Reply("", fault="status:500"), Reason.MODEL_ERROR),
    "answers 429": (Reply("", fault="status:429", retry_after=60), Reason.MODEL_RATE_LIMITED),
    "answers nothing": (Reply("", fault="empty"), Reason.EMPTY_REPLY),
    "says nonsense": (Reply("x", fault="malformed"), Reason.MODEL_ERROR),
    "hangs": (Reply("x", fault="hang_before_first"), Reason.MODEL_TIMEOUT),
    "dies midway": (Reply("many words that are never finished at all", fault="cut"), Reason.MODEL_ERROR),
    "hangs midway": (
        Reply("many words that are never finished at all", fault="hang_mid"),
        Reason.MODEL_TIMEOUT,
    ),
}


@pytest.mark.parametrize("platform", ["slack", "slack dm", "lark"])
async def test_every_failure_of_the_model_is_one_notice_and_the_conversation_goes_on(
    tmp_path: Path, platform: str
) -> None:
    def script(messages: list[Message]) -> Reply:
        question = messages[-1].content
        return FAILURES[question][0] if question in FAILURES else Reply(f"fine: {question}")

    timeouts = {"first_token": "1s", "idle": "1s", "reply": "20s"}
    async with town(
        tmp_path, script=script, settings={"agents": {"timeouts": timeouts}}, tokens_per_second=30
    ) as here:
        for number, (failure, (_, reason)) in enumerate(FAILURES.items()):
            after, look = await _ask_and_ask_again(here, platform, failure, number)
            sentence = notice(reason, "en", "").partition(" (ref")[0]

            def replies(look: Callable[[], list[Shown]] = look) -> list[str]:
                return [shown.text for shown in look() if shown.author == "bot"]

            await until(lambda r=replies: len(r()) == 2 and "fine: and now?" in r()[1], 30, replies)  # type: ignore[misc]
            assert replies()[0].count(sentence) == 1, failure
            assert replies()[1].count("⚠️") == 0
            assert after.accepted
            if "midway" in failure:
                assert replies()[0].startswith("many words"), "what was said stays"


async def _ask_and_ask_again(
    here: Town, platform: str, question: str, number: int
) -> tuple[Said, Callable[[], list[Shown]]]:
    """A question and one more in a conversation of their own; the second, and a look at the conversation."""
    if platform == "lark":
        chat = f"oc_{number}"
        await here.lark_dm(question, chat=chat)
        return await here.lark_dm("and now?", chat=chat), lambda: here.lark.chat(chat)
    if platform == "slack":
        first = await here.mention(question)
        return await here.mention("and now?", thread=first.ts), lambda: here.slack.thread("C1", first.ts)
    channel = f"D{number}"
    here.slack.add_channel(channel, "im")
    await here.slack_dm(question, channel=channel)
    return await here.slack_dm("and now?", channel=channel), lambda: here.slack.thread(channel, None)


async def test_told_to_stop_the_gateway_finishes_its_replies_and_still_takes_messages(tmp_path: Path) -> None:
    async with town(tmp_path, first_token_after=0.5, tokens_per_second=30, settings={"drain": "20s"}) as here:
        first = await here.lark_dm("one")
        await until(lambda: here.model.calls_made, 5)
        here.gateway.signal(signal.SIGTERM)
        late = await here.lark_dm("two", chat="oc_2")
        assert late.accepted
        await here.gateway.ended()
        assert here.faults([first], here.lark.chat("oc_1")) == []
        await here.gateway.start()
        await here.answered([late], lambda: here.lark.chat("oc_2"))


async def test_a_full_queue_is_told_once_in_the_chat_and_the_queue_is_still_answered(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=lambda _: Reply("fine"),
        first_token_after=1.0,
        settings={"limits": {"max_queued": 2}},
    ) as here:
        said = [await here.lark_dm(f"message {number}") for number in range(6)]
        assert [one.admissions[0] for one in said] == ["accepted"] * 3 + ["refused; reason=queue_full"] * 3
        sentence = notice(Reason.QUEUE_FULL, "en", "").partition(" (ref")[0]

        def replies() -> list[str]:
            return [shown.text for shown in here.lark.chat("oc_1") if shown.author == "bot"]

        await until(lambda: replies().count("fine") == 3, 20, replies)
        assert sum(sentence in reply for reply in replies()) == 1
        assert len(replies()) == 4
