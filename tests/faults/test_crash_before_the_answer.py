"""The crash table, first part: killed before anything of an answer is visible.

Judged by what the stand-ins show a person. Real gateway processes, a real file or a real Valkey.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from gateway.demo.model import Message, Reply
from tests.conversation.stores.servers import server
from tests.faults.crash import (
    Engine,
    all_of_them,
    asked,
    crashing,
    everywhere,
    finished,
    first_answer,
    held,
    kill,
    lose_answers,
)
from tests.waiting import until

POSTING = {
    "lark": "im.v1.message.reply",
    "slack thread": "chat.startStream",
    "slack dm": "chat.postMessage",
}


async def test_killed_before_the_message_is_committed_the_platform_sends_it_again(
    tmp_path: Path, engine: Engine
) -> None:
    """Redis stands still with the message on its way to it, and dies; SQLite is not even asked."""
    redis = server("--appendonly", "yes", "--appendfsync", "always")
    async with crashing(tmp_path, engine, replicas=1, server=redis, frozen=True) as here:
        if engine == "redis":
            redis.freeze()
        else:
            here.gateway.signal(signal.SIGSTOP)
        async with asyncio.TaskGroup() as people:
            speaking = people.create_task(here.lark_dm("hello"))
            await asyncio.sleep(0.5)  # it is on its way, and there is nothing to see of it
            await here.gateway.kill()
            redis.kill()
            redis.start()
            await here.gateway.start()
        said = speaking.result()
        assert said.statuses[0] == 0, "nobody answered the first attempt"
        await here.lark.settle()
        assert first_answer(said) == "accepted"
        await here.answered([said], lambda: here.lark.chat("oc_1"))
        assert asked(here) == ["hello"]
    redis.remove()


async def test_killed_before_the_200_the_message_sent_again_is_a_duplicate_and_is_answered(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine, replicas=1, proxied=True) as here:
        here.networks["webhooks"].become("half open")
        async with asyncio.TaskGroup() as people:
            speaking = people.create_task(here.lark_dm("hello"))
            await until(here.lark.open_cards, 10)
            await here.gateway.kill()
            here.networks["webhooks"].become("cut")
            here.networks["webhooks"].become("good")
            await here.gateway.start()
        said = speaking.result()
        assert said.statuses[0] == 0, "nobody answered the first attempt"
        await here.lark.settle()
        assert first_answer(said) == "duplicate"
        await here.answered([said], lambda: here.lark.chat("oc_1"), within=60)


async def test_killed_with_the_turn_claimed_and_not_started_it_is_run(tmp_path: Path, engine: Engine) -> None:
    """The model never hears of the first attempt."""
    async with crashing(tmp_path, engine, proxied=True) as here:
        here.networks["model"].become("stalled")
        talk = await everywhere(here)
        await until(lambda: here.networks["model"].connections == len(talk), 10)
        await here.gateway.kill()
        here.networks["model"].become("cut")
        here.networks["model"].become("good")
        if engine == "sqlite":
            await here.gateway.start()
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3


async def test_killed_while_the_model_thinks_it_is_asked_again(tmp_path: Path, engine: Engine) -> None:
    async with crashing(tmp_path, engine, first_token_after=1.5) as here:
        talk = await everywhere(here)
        await until(lambda: asked(here) == ["one"] * 3, 5)
        await kill(here, engine)
        await finished(here, talk)
        assert asked(here) == ["one"] * 6 + ["two"] * 3


async def test_killed_with_the_first_post_in_flight_it_is_found_and_not_repeated(
    tmp_path: Path, engine: Engine
) -> None:
    """The post takes effect after its sender is dead."""
    async with crashing(tmp_path, engine) as here:
        async with held(here, POSTING) as holds:
            talk = await everywhere(here)
            await asyncio.gather(*(hold.reached() for hold in holds))
            await here.gateway.kill()
        if engine == "sqlite":
            await here.gateway.start()
        await finished(here, talk)


async def test_killed_with_the_first_post_made_and_not_known_it_is_found(
    tmp_path: Path, engine: Engine
) -> None:
    async with crashing(tmp_path, engine) as here:
        lose_answers(here, POSTING)
        talk = await everywhere(here)
        await all_of_them(talk, lambda spoken: spoken.replies)
        first = {platform: spoken.replies[0].ts for platform, spoken in talk.items()}
        await kill(here, engine)
        await finished(here, talk)
        assert {platform: spoken.replies[0].ts for platform, spoken in talk.items()} == first


async def test_the_fourth_crash_is_told_and_the_model_is_not_asked_again(
    tmp_path: Path, engine: Engine
) -> None:
    def answers(messages: list[Message]) -> Reply:
        slow = messages[-1].content == "deadly"
        return Reply("a fine answer", first_token_after=60.0 if slow else 0.1)

    async with crashing(tmp_path, engine, answers=answers, replicas=1) as here:
        said = [await here.lark_dm("deadly"), await here.lark_dm("harmless")]
        for death in range(1, 5):
            await until(lambda n=death: len(here.model.calls_made) == n, 30)  # type: ignore[misc]
            await here.gateway.kill()
            await here.gateway.start()
        await until(lambda: "Something broke" in here.lark.chat("oc_1")[-2].text, 30)
        sentence = here.lark.chat("oc_1")[-2].text
        await here.answered(said, lambda: here.lark.chat("oc_1"), [sentence, "a fine answer"])
        assert asked(here) == ["deadly"] * 4 + ["harmless"]
