"""The crash table, third part: nobody dies, but a process, its network or its store stands still for too long.

Judged by what the stand-ins show a person.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.conversation.stores.servers import server
from tests.faults.crash import all_of_them, asked, crashing, everywhere, finished, mended
from tests.faults.test_crash_with_the_answer import begun
from tests.waiting import until

REPAIRED_WITHIN = 30.0
"""Seconds after a late write on Slack."""


async def test_a_frozen_replica_loses_its_turns_and_the_edits_it_had_under_way_do_no_harm(
    tmp_path: Path,
) -> None:
    """Stopped between the look at its lease and the send: here the network keeps what it sent."""
    async with crashing(tmp_path, "redis", tokens_per_second=8, frozen=True, proxied=True) as here:
        talk = await everywhere(here)
        await all_of_them(talk, begun)
        for platform in ("lark", "slack"):
            here.networks[platform].become("stalled")
        await asyncio.sleep(3.5)  # an edit of each is under way, with half of its text
        here.gateway.signal(signal.SIGSTOP)
        await finished(here, talk)
        for platform in ("lark", "slack"):
            here.networks[platform].become("good")
        await until(lambda: any(" 300317 " in refusal for refusal in here.lark.refusals), 10)
        await asyncio.sleep(1.0)
        here.gateway.signal(signal.SIGCONT)
        await mended(here, talk, REPAIRED_WITHIN)


async def test_an_edit_that_nobody_answered_in_time_does_not_undo_the_final_text(tmp_path: Path) -> None:
    """Nobody dies: the same process has shown the whole answer before Slack gets round to its earlier edit."""
    async with crashing(tmp_path, "sqlite", tokens_per_second=8) as here:
        async with here.slack.hold("chat.update", most=1) as hold:
            said = [await here.slack_dm("one")]
            await hold.reached()
            await here.answered(said, lambda: here.slack.thread("D1", None))
        await until(lambda: not hold.waiting, 5)
        await here.answered(said, lambda: here.slack.thread("D1", None), within=REPAIRED_WITHIN)


async def test_a_post_that_was_under_way_at_the_freeze_does_not_stay_beside_the_answer(
    tmp_path: Path,
) -> None:
    async with crashing(tmp_path, "redis", frozen=True, proxied=True) as here:
        for platform in ("lark", "slack"):
            here.networks[platform].become("stalled")
        talk = await everywhere(here)
        await until(lambda: len(here.model.calls_made) == len(talk), 10)
        await asyncio.sleep(1.0)  # a post of each is under way
        here.gateway.signal(signal.SIGSTOP)
        await finished(here, talk)
        for platform in ("lark", "slack"):
            here.networks[platform].become("good")
        await asyncio.sleep(1.0)
        here.gateway.signal(signal.SIGCONT)
        await mended(here, talk, REPAIRED_WITHIN)


async def test_a_store_that_is_away_for_longer_than_a_lease_makes_nobody_ask_again(tmp_path: Path) -> None:
    redis = server("--appendonly", "yes", "--appendfsync", "always")
    async with crashing(tmp_path, "redis", tokens_per_second=12, server=redis) as here:
        talk = await everywhere(here)
        await all_of_them(talk, begun)
        redis.kill()
        await asyncio.sleep(18.0)
        redis.start()
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3
    redis.remove()


async def test_connections_to_redis_that_are_reset_do_not_end_the_gateway(tmp_path: Path) -> None:
    async with crashing(tmp_path, "redis", replicas=1, tokens_per_second=8, proxied=True) as here:
        talk = await everywhere(here)
        await all_of_them(talk, begun)
        for _ in range(8):
            here.networks["store"].become("cut")
            await asyncio.sleep(0.3)
            here.networks["store"].become("good")
            await asyncio.sleep(0.7)
            assert here.gateway.running
        await finished(here, talk)
        assert asked(here) == ["one"] * 3 + ["two"] * 3
