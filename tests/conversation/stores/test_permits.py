"""Permits that processes lease from a shared store: any history of it, compared with the plain model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.stores.permits import Bucket
from conversation.stores.port import Store
from conversation.stores.redis import RedisStore
from tests.conversation.made_up import ManualClock
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.conversation.stores.shared_permits import SharedPermits

UPDATES = Bucket("slack:made-up:chat.update", rate=0.5, burst=10.0, reserve=2.0)
CONTENT = Bucket("lark:cli_made_up:content", rate=15.8, burst=47.5, reserve=9.5)

Step = tuple[str, int, int, int, float]

steps = st.lists(
    st.tuples(
        st.sampled_from(["lease", "lease", "lease", "close"]),
        st.integers(0, 6),
        st.integers(0, 12),
        st.integers(0, 2),
        st.floats(0.0, 8.0),
    ),
    min_size=1,
    max_size=25,
)


@given(steps=steps)
@settings(max_examples=60, deadline=None)
def test_redis_agrees_with_the_model_on_any_history(steps: Sequence[Step]) -> None:
    asyncio.run(compared(steps))


async def compared(steps: Sequence[Step]) -> None:
    clock = ManualClock()
    model = SharedPermits(clock.now)
    namespace = fresh_namespace()
    replicas = [RedisStore(valkey().url, namespace=namespace, clock=clock) for _ in range(2)]
    for replica in replicas:
        await replica.open()
    for number, (what, urgent, partial, unused, pause) in enumerate(steps):
        permits, bucket = replicas[number % 2].permits, (UPDATES, CONTENT)[number % 3 == 0]
        if what == "close":
            await permits.close(bucket, pause)
            await model.close(bucket, pause)
        else:
            granted = await permits.lease(bucket, urgent=urgent, partial=partial, unused=unused)
            expected = await model.lease(bucket, urgent=urgent, partial=partial, unused=unused)
            assert (granted.urgent, granted.partial) == (expected.urgent, expected.partial)
            assert granted.level == pytest.approx(expected.level, abs=1e-5)
            assert granted.closed == pytest.approx(expected.closed, abs=1e-5)
        clock.advance(pause)
    for replica in replicas:
        await replica.close()


async def test_only_a_store_that_can_be_shared_counts_for_others(store: Store) -> None:
    assert (store.permits is None) == store.exclusive
    if store.permits is not None:
        for chat in range(8):  # in a cluster they are on different nodes
            bucket = replace(UPDATES, name=f"slack:made-up:chat.postMessage:C{chat}")
            assert (await store.permits.lease(bucket, urgent=4, partial=9)).partial == 4


async def test_the_servers_own_clock_refills_a_bucket() -> None:
    """No clock is given here, as in a real process."""
    fast = Bucket("lark:cli_made_up:content", rate=1000.0, burst=5.0, reserve=1.0)
    store = RedisStore(valkey().url, namespace=fresh_namespace())
    await store.open()
    first = await store.permits.lease(fast, urgent=9, partial=0)
    assert first.urgent == 5
    await asyncio.sleep(0.02)
    assert (await store.permits.lease(fast, urgent=9, partial=0)).urgent == 5
    await store.close()


async def test_what_is_kept_of_a_chat_goes_away_by_itself() -> None:
    namespace = fresh_namespace()
    store = RedisStore(valkey().url, namespace=namespace, partitions=1)
    await store.open()
    chat = Bucket("slack:made-up:chat.postMessage:C1", rate=0.95, burst=4.0, reserve=0.8)
    await store.permits.lease(chat, urgent=1, partial=0)
    key = f"{{{namespace}:0}}:budget:{chat.name}"
    assert 60 < int(str(valkey().ask("TTL", key))) <= 63
    await store.permits.close(chat, 3600.0)
    assert int(str(valkey().ask("TTL", key))) > 3600
    await store.close()
