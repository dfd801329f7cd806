"""A process with room hears of work at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from conversation.busy import Limits
from conversation.stores.redis import Login, RedisStore
from conversation.turn import Claim
from tests.conversation.made_up import SAID_AT, answered, message
from tests.conversation.stores.servers import Cluster, ServerProcess, cluster, fresh_namespace, server, valkey
from tests.conversation.stores.tls import LOGIN, tls

URLS: dict[str, Callable[[], str]] = {"server": lambda: valkey().url, "cluster": lambda: cluster().url}


class Ear:
    def __init__(self) -> None:
        self.woken = self.stopped = 0
        self._heard = asyncio.Event()

    def wake(self) -> None:
        self.woken += 1
        self._heard.set()

    def stop(self) -> None:
        self.stopped += 1
        self._heard.set()

    async def hears(self) -> None:
        async with asyncio.timeout(5):
            await self._heard.wait()
        self._heard.clear()


async def admit(
    store: RedisStore, session: str, text: str, *, may_claim: bool = False, bot: str = "a"
) -> Claim | None:
    admission = await store.turns.admit(
        message(text, bot=bot), session=session, may_claim=may_claim, limits=Limits(9)
    )
    return admission.claim


async def heard(here: RedisStore, there: RedisStore) -> None:
    """What the one could not start, of any bot, the other hears of."""
    ear = Ear()
    for store in (here, there):
        await store.open()
    session = await here.turns.open_session()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(there.wakeups.run(ear.wake, ear.stop))
        await ear.hears()  # it listens
        await asyncio.sleep(0.2)  # to all nodes
        for bot in ("a", "b", "c"):
            ear._heard.clear()
            await admit(here, session, "hello", bot=bot)
            await ear.hears()
        listening.cancel()
    for store in (here, there):
        await store.close()


@pytest.mark.parametrize("url", URLS)
async def test_a_process_hears_of_what_another_could_not_start_of_any_bot(url: str) -> None:
    namespace = fresh_namespace()
    here, there = (RedisStore(URLS[url](), namespace=namespace) for _ in range(2))
    await heard(here, there)


async def test_it_hears_it_over_tls_too(tmp_path: Path) -> None:
    made = tls(tmp_path)
    nodes = Cluster(made)
    login = Login(*LOGIN, ca_file=made.ca_file)
    here, there = (RedisStore(nodes.url, login=login) for _ in range(2))
    await heard(here, there)
    nodes.remove()


async def test_nobody_is_woken_for_what_runs_already() -> None:
    namespace, ear = fresh_namespace(), Ear()
    store = RedisStore(valkey().url, namespace=namespace)
    await store.open()
    session = await store.turns.open_session()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(store.wakeups.run(ear.wake, ear.stop))
        await ear.hears()
        claim = await admit(store, session, "one", may_claim=True)
        assert claim is not None
        await admit(store, session, "two")
        following = await store.turns.complete(claim, answered("ok"), keep_turns=9)
        assert following is not None
        assert ear.woken == 1
        await store.turns.close_session(session)
        await ear.hears()
        listening.cancel()
    await store.close()


async def test_listening_goes_on_when_the_server_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversation.stores.redis.wakeups.PAUSE", 0.05)
    process: ServerProcess = server()
    store, ear = RedisStore(process.url), Ear()
    await store.open()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(store.wakeups.run(ear.wake, ear.stop))
        await ear.hears()
        process.kill()
        process.start()
        await ear.hears()  # it looks after what it may have missed
        session = await store.turns.open_session()
        await admit(store, session, "hello")
        await ear.hears()
        listening.cancel()
    await store.close()
    process.remove()


async def test_the_process_that_runs_a_turn_hears_that_it_was_stopped_elsewhere() -> None:
    namespace, ear = fresh_namespace(), Ear()
    here, there = (RedisStore(valkey().url, namespace=namespace) for _ in range(2))
    for store in (here, there):
        await store.open()
    session = await here.turns.open_session()
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(here.wakeups.run(ear.wake, ear.stop))
        await ear.hears()  # it listens
        claim = await admit(here, session, "hello", may_claim=True)
        assert claim is not None
        await there.turns.stop(claim.key, "stop 1", SAID_AT)
        await ear.hears()
        assert ear.stopped == 1
        listening.cancel()
    for store in (here, there):
        await store.close()


async def test_listening_ends_at_whatever_moment_it_is_cancelled() -> None:
    store, ear = RedisStore(valkey().url, namespace=fresh_namespace()), Ear()
    await store.open()
    for steps in range(0, 400, 3):  # of the event loop; subscribing to all partitions takes about as many
        listening = asyncio.create_task(store.wakeups.run(ear.wake, ear.stop))
        for _ in range(steps):
            await asyncio.sleep(0)
        listening.cancel()
        ended, _ = await asyncio.wait([listening], timeout=5)
        assert ended, f"it goes on after {steps} steps"
    await store.close()
