"""The crash table, second part: killed while an answer, or a notice, is visible or on its way.

Judged by what the stand-ins show a person. Real gateway processes, a real file or a real Valkey.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

from conversation.texts import en
from conversation.turn import Reason
from gateway.demo.answers import default_answer
from gateway.demo.judge import letters
from gateway.demo.model import Message, Reply
from tests.faults.crash import (
    WITHIN,
    Engine,
    Spoken,
    all_of_them,
    asked,
    crashing,
    everywhere,
    finished,
    held,
    kill,
    lose_answers,
)
from tests.town import Script, Town
from tests.waiting import until

CLOSING = {
    "lark": "cardkit.v1.card.update",
    "slack thread": "chat.stopStream",
    "slack dm": "chat.update",
}


def begun(spoken: Spoken) -> bool:
    """There is more than Lark's placeholder."""
    return bool(spoken.replies) and len(spoken.replies[0].text) > 1


async def test_killed_while_the_reply_grows_it_is_finished_in_the_same_message(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine, tokens_per_second=12) as here:
        talk = await everywhere(here)
        await all_of_them(talk, begun)
        half = {platform: spoken.replies[0].ts for platform, spoken in talk.items()}
        killed_at = time.time()
        await kill(here, engine)
        await finished(here, talk)
        for platform, spoken in talk.items():
            assert spoken.replies[0].ts == half[platform]
            progress = next(at for at, _ in spoken.replies[0].history if at > killed_at)
            assert progress - killed_at <= 25, f"{platform}: from the kill to visible progress"


def at_length_then_in_short() -> Script:
    """The model says less when it is asked again: what the first attempt has shown of its second part is surplus."""
    times: Counter[str] = Counter()

    def answers(messages: list[Message]) -> Reply:
        times[messages[0].content] += 1
        if times[messages[0].content] == 1:
            return Reply(default_answer("at length", 8_000), tokens_per_second=3_000, fault="hang_mid")
        return Reply("In short: yes.")

    return answers


async def on_lark_and_in_a_thread(here: Town) -> dict[str, Spoken]:
    first = await here.mention("in a thread")
    return {
        "slack thread": Spoken([first], lambda: here.slack.thread("C1", first.ts)),
        "lark": Spoken([await here.lark_dm("on lark")], lambda: here.lark.chat("oc_1")),
    }


def in_short_and_nothing_else(spoken: Spoken) -> bool:
    return [one.text for one in spoken.replies] == ["In short: yes."]


async def test_killed_while_a_long_reply_grows_the_shorter_second_answer_leaves_no_surplus(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine, answers=at_length_then_in_short()) as here:
        talk = await on_lark_and_in_a_thread(here)
        await all_of_them(talk, lambda spoken: len(spoken.replies) >= 2)
        await kill(here, engine)
        await all_of_them(talk, in_short_and_nothing_else, WITHIN)


async def test_killed_with_a_second_part_in_flight_the_shorter_second_answer_leaves_no_surplus(
    tmp_path: Path,
) -> None:
    posting = {"lark": "im.v1.message.reply", "slack thread": "chat.startStream"}
    async with crashing(tmp_path, "sqlite", answers=at_length_then_in_short()) as here:
        talk = await on_lark_and_in_a_thread(here)
        await all_of_them(talk, lambda spoken: spoken.replies)
        async with held(here, posting) as holds:
            await asyncio.gather(*(hold.reached() for hold in holds))
            await here.gateway.kill()
        await all_of_them(talk, lambda spoken: len(spoken.replies) == 2)
        await here.gateway.start()
        await all_of_them(talk, in_short_and_nothing_else, 30)


async def test_killed_with_the_final_text_stored_it_is_sent_and_the_model_not_asked(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine) as here:
        async with held(here, CLOSING) as holds:
            talk = await everywhere(here)
            await asyncio.gather(*(hold.reached() for hold in holds))
            await until(lambda: all(call.ended_at for call in here.model.calls_made), 10)
            await here.gateway.kill()
        if engine == "sqlite":
            await here.gateway.start()
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3


async def test_killed_with_the_final_text_sent_and_not_known_the_same_message_is_written_again(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine) as here:
        lose_answers(here, CLOSING)
        talk = await everywhere(here)
        await all_of_them(
            talk,
            lambda spoken: (
                spoken.replies
                and not spoken.replies[0].streaming
                and letters(spoken.replies[0].text) == letters(here.model.expected_answer("one"))
            ),
        )
        await kill(here, engine)
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3


async def test_killed_with_the_turn_completed_and_not_known_it_is_not_answered_again(tmp_path: Path) -> None:
    """Redis completed it, and the answer was lost with its reader. (Within one process there is none to lose.)"""
    async with crashing(tmp_path, "redis", proxied=True) as here:
        async with held(here, CLOSING) as holds:
            talk = await everywhere(here)
            await asyncio.gather(*(hold.reached() for hold in holds))
            await until(lambda: all(call.ended_at for call in here.model.calls_made), 10)
            here.networks["store"].become("half open")
        await asyncio.sleep(1.5)  # `complete` is with Redis, and nobody can see it
        await here.gateway.kill()
        writes = {platform: len(spoken.replies[0].history) for platform, spoken in talk.items()}
        await finished(here, talk)
        assert {platform: len(spoken.replies[0].history) for platform, spoken in talk.items()} == writes
        assert asked(here) == ["one"] * 3 + ["two"] * 3


async def test_killed_with_a_notice_in_flight_it_appears_once(tmp_path: Path, engine: Engine) -> None:
    def answers(messages: list[Message]) -> Reply:
        return Reply("a fine answer", fault="status:500" if messages[-1].content == "one" else None)

    showing = {
        "lark": "cardkit.v1.card_element.content",
        "slack thread": "chat.startStream",
        "slack dm": "chat.postMessage",
    }
    async with crashing(tmp_path, engine, answers=answers) as here:
        async with held(here, showing) as holds:
            talk = await everywhere(here)
            await asyncio.gather(*(hold.reached() for hold in holds))
            await here.gateway.kill()
        before = asked(here)
        if engine == "sqlite":
            await here.gateway.start()
        sentence = en.NOTICES[Reason.MODEL_ERROR]
        await all_of_them(
            talk,
            lambda spoken: (
                [one.text.partition(" (ref")[0] for one in spoken.replies] == [sentence, "a fine answer"]
            ),
            WITHIN,
        )
        assert asked(here) == before + ["two"] * 3


async def test_a_disk_that_is_full_at_the_end_of_a_turn_repeats_its_completion_only(tmp_path: Path) -> None:
    async with crashing(tmp_path, "sqlite") as here:
        async with held(here, CLOSING) as holds:
            talk = await everywhere(here)
            await asyncio.gather(*(hold.reached() for hold in holds))
            await until(lambda: all(call.ended_at for call in here.model.calls_made), 10)
            with here.full_disk():
                for hold in holds:
                    hold.release()
                await all_of_them(talk, lambda spoken: not spoken.replies[0].streaming)
                await asyncio.sleep(2.0)  # it tries again and again
                assert asked(here) == ["one"] * 3, "nothing goes on before it is stored that this one ended"
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3
