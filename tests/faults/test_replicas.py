"""Several gateways on one Redis: one dies or freezes, another finishes its replies in the same messages.

Judged by what the stand-ins show a person; a real Valkey, real processes.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from pathlib import Path

from gateway.demo.model import Reply
from gateway.demo.people import Said
from tests.conversation.stores.servers import ServerProcess, fresh_namespace, server, valkey
from tests.faults.talk import replies, script
from tests.town import town
from tests.waiting import until


def on_redis(of: ServerProcess | None = None) -> dict[str, object]:
    return {"store": {"url": (of or valkey()).url, "namespace": fresh_namespace()}}


async def test_messages_of_one_conversation_to_different_replicas_are_answered_in_one_order(
    tmp_path: Path,
) -> None:
    async with town(
        tmp_path, script=lambda m: Reply(f"fine: {m[-1].content}"), replicas=2, settings=on_redis()
    ) as here:
        urls = [here.gateway.lark_webhook, here.others[0].lark_webhook]
        said = [
            await here.lark.say(urls[number % 2], chat="oc_1", user="ou_1", text=f"message {number}")
            for number in range(8)
        ]
        await here.answered(said, lambda: here.lark.chat("oc_1"))
        assert set(here.model.max_concurrency.values()) == {1}
        await here.lark.settle()
        assert here.faults(said, here.lark.chat("oc_1")) == [], "redelivered to either, answered by neither"


async def test_what_one_replica_has_no_slot_for_another_takes_at_once(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=lambda _: Reply("fine"),
        first_token_after=3.0,
        replicas=2,
        settings={**on_redis(), "limits": {"max_replies": 1}},
    ) as here:
        said = [await here.lark_dm(f"message {chat}", chat=f"oc_{chat}") for chat in range(2)]
        for chat, message in enumerate(said):
            await here.answered([message], lambda c=chat: here.lark.chat(f"oc_{c}"))  # type: ignore[misc]
        first, second = (call.started_at for call in here.model.calls_made)
        assert second - first < 1.5, "it did not wait for the first one's slot"


async def test_a_rolling_restart_shortens_no_reply(tmp_path: Path) -> None:
    async with town(
        tmp_path,
        script=script,
        tokens_per_second=12,
        replicas=2,
        settings={**on_redis(), "drain": "30s"},
    ) as here:
        said = [await here.lark_dm(f"message {chat}", chat=f"oc_{chat}") for chat in range(6)]
        await until(lambda: len(here.model.calls_made) == 6, 10)
        for one in (here.gateway, *here.others):
            one.signal(signal.SIGTERM)
            assert await one.ended() == 0
            await one.start()
        for chat, message in enumerate(said):
            await here.answered([message], lambda c=chat: here.lark.chat(f"oc_{c}"))  # type: ignore[misc]
        assert len(here.model.calls_made) == 6, "no model was asked twice"


async def test_a_rolling_restart_under_load_loses_no_message_and_asks_no_model_twice(tmp_path: Path) -> None:
    async with town(
        tmp_path, script=script, tokens_per_second=25, replicas=2, settings={**on_redis(), "drain": "30s"}
    ) as here:
        both = [here.gateway, *here.others]
        restarting = both[0]
        said: list[Said] = []
        enough = asyncio.Event()

        async def talk() -> None:
            """As behind a load balancer: whoever is being restarted gets nothing new."""
            for number in itertools.takewhile(lambda _: not enough.is_set(), range(1_000)):
                up = next(one for one in both if one is not restarting)
                chat = f"oc_{number % 12}"
                said.append(
                    await here.lark.say(up.lark_webhook, chat=chat, user=chat, text=f"message {number}")
                )
                await asyncio.sleep(0.1)

        talking = asyncio.create_task(talk())
        for one in (*both, both[0]):
            restarting = one
            await asyncio.sleep(1.0)
            one.signal(signal.SIGTERM)
            assert await one.ended() == 0
            await one.start()
        enough.set()
        await talking
        await here.lark.settle()
        assert len(said) > 30
        assert all(one.accepted for one in said)
        for chat in {one.chat for one in said}:
            of_chat = [one for one in said if one.chat == chat]
            await here.answered(of_chat, lambda c=chat: here.lark.chat(c), within=60)  # type: ignore[misc]
        asked = [call.question for call in here.model.calls_made]
        assert sorted(asked) == sorted(set(asked)), "no reply was cut short and begun again"


async def test_redis_away_for_a_while_is_503_and_nothing_is_lost_or_asked_twice(tmp_path: Path) -> None:
    redis = server("--appendonly", "yes", "--appendfsync", "always")
    async with town(tmp_path, script=script, tokens_per_second=12, settings=on_redis(redis)) as here:
        running = await here.lark_dm("before", chat="oc_0")
        await until(lambda: replies(lambda: here.lark.chat("oc_0")), 10)
        redis.kill()
        refused = await here.lark_dm("meanwhile", chat="oc_1")
        assert refused.statuses[0] == 503
        redis.start()
        await here.lark.settle()
        assert refused.accepted, "the platform sent it again"
        await here.answered([running], lambda: here.lark.chat("oc_0"))
        await here.answered([refused], lambda: here.lark.chat("oc_1"))
        assert len(here.model.calls_made) == 2
    redis.remove()


async def test_a_redis_that_came_back_empty_is_used_again_at_once(tmp_path: Path) -> None:
    """It kept nothing, against the advice: what was accepted is gone, but no conversation stays stuck."""
    redis = server()
    async with town(tmp_path, script=lambda _: Reply("fine"), settings=on_redis(redis)) as here:
        before = [await here.lark_dm(text) for text in ("one", "two")]
        await here.answered(before, lambda: here.lark.chat("oc_1"), ["fine", "fine"])
        await here.lark.settle()
        redis.kill()
        redis.start()
        after = await here.lark_dm("three")
        await here.lark.settle()
        assert after.accepted
        await here.answered([*before, after], lambda: here.lark.chat("oc_1"), ["fine"] * 3)
    redis.remove()
