"""The canary: it sings while a message would be answered, and only then, and nobody but metrics hears it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from channels.playground import CHANNEL, PlaygroundOutbound
from channels.playground.part import KIND
from conversation.actor import Actor
from conversation.bot import Agent, Bot
from conversation.busy import Limits
from conversation.clock import Clock, SystemClock
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.keys import ConversationKey
from conversation.outbound import DeliveryRefusedError, LivePart, Outbound, PartRequest
from conversation.providers.echo import EchoProvider
from conversation.providers.port import Provider
from conversation.stores.memory import MemoryStore
from conversation.stores.port import Store, StoreUnavailableError
from conversation.stores.redis import RedisStore
from conversation.stores.retention import Retention
from gateway.admin.access import CANARY_BOT, Principal
from gateway.metrics.canary import FAILURES, CanaryMetrics
from gateway.pulse import PATIENCE, WAITING, Pulse
from tests.conversation.fake_platform import FakeModel, says
from tests.conversation.stores.engines import ENGINES
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.gateway.running import TOKEN, running
from tests.virtual_time import LoopClock, run

Story = Callable[[], Coroutine[None, None, None]]


def in_virtual_time(story: Story) -> Callable[[], None]:
    @wraps(story)
    def told() -> None:
        run(story())

    return told


@dataclass
class Replica:
    pulse: Pulse
    directory: Directory
    metrics: CanaryMetrics
    store: Store

    async def beat(self) -> bool:
        return await self.pulse.beat(self.directory)

    def counted(self, name: str, **labels: str) -> float | None:
        registry = CollectorRegistry()
        registry.register(self.metrics)
        for family in text_string_to_metric_families(generate_latest(registry).decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    @property
    def answers(self) -> float | None:
        return self.counted("turnkeeper_canary_seconds_count")

    def failures(self, reason: str) -> float | None:
        return self.counted("turnkeeper_canary_failures_total", reason=reason)


@asynccontextmanager
async def replica(
    store: Store,
    clock: Clock,
    *,
    name: str = "one",
    slots: int = 10,
    outbound: Outbound | None = None,
    provider: Provider | None = None,
) -> AsyncIterator[Replica]:
    shown = outbound or PlaygroundOutbound(CANARY_BOT, store.records, clock)
    bot = Bot(
        CANARY_BOT,
        Agent(CANARY_BOT, provider or EchoProvider()),
        shown,
        limits=Limits(queued=WAITING),
        keep_texts=False,
    )
    metrics = CanaryMetrics()
    metrics.expect()
    pulse = Pulse(bot, store.records, clock, metrics, name)
    executor = Executor({bot.id: bot}, {}, store.turns, store.transcripts, clock)
    actor = Actor(executor, store.turns, clock, keep_turns=100, observer=pulse)
    directory = Directory(store, actor.run, clock, max_replies=slots)
    started = asyncio.Event()
    life = asyncio.create_task(directory.run(started))
    await started.wait()
    try:
        yield Replica(pulse, directory, metrics, store)
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


def key(name: str = "one") -> ConversationKey:
    return ConversationKey(CHANNEL, CANARY_BOT, "", name)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_message_that_is_answered_is_measured_and_leaves_nothing_behind(
    tmp_path: Path, engine: str
) -> None:
    clock = SystemClock()
    store = ENGINES[engine](tmp_path, clock, Retention())
    await store.open()
    async with replica(store, clock) as one:
        begun = clock.now()
        assert [await one.beat() for _ in range(3)] == [True] * 3
        assert one.answers == 3
        assert [one.failures(reason) for reason in FAILURES] == [0] * len(FAILURES)
        seconds = one.counted("turnkeeper_canary_seconds_sum")
        assert seconds is not None
        assert 0 < seconds <= clock.now() - begun + 0.1
        at = one.counted("turnkeeper_canary_last_success_timestamp_seconds")
        assert at is not None
        assert begun <= at <= clock.now()
        assert await store.records.all(KIND) == ()
        assert await store.transcripts.said(key(), 10) == ()
        assert await store.conversations.queue(key(), 10) == ()
    await store.close()


@pytest.mark.parametrize("names", [("one", "two"), ("same", "same")])
async def test_it_is_answered_by_whichever_replica_has_room(names: tuple[str, str]) -> None:
    clock, namespace = SystemClock(), fresh_namespace()
    stores = [RedisStore(valkey().url, namespace=namespace, clock=clock) for _ in names]
    for store in stores:
        await store.open()
    async with (
        replica(stores[0], clock, name=names[0], slots=0) as full,
        replica(stores[1], clock, name=names[1]) as free,
    ):
        assert all(await asyncio.gather(full.beat(), free.beat()))
        assert (full.answers, free.answers) == (1, 1)
        assert await stores[0].records.all(KIND) == ()
    for store in stores:
        await store.close()


@in_virtual_time
async def test_while_the_store_is_away_it_fails_and_nothing_piles_up() -> None:
    store = MemoryStore(LoopClock())
    async with replica(store, LoopClock()) as one:
        admit = store.turns.admit

        async def away(*_: object, **__: object) -> None:
            raise StoreUnavailableError("away")

        store.turns.admit = away  # type: ignore[method-assign, assignment]
        assert [await one.beat() for _ in range(3)] == [False] * 3
        assert one.failures("store") == 3
        assert one.answers == 0
        store.turns.admit = admit  # type: ignore[method-assign]
        assert await one.beat()
        assert len([event for event in store.turns.happened if event.kind == "turn.completed"]) == 1


class Broken(PlaygroundOutbound):
    """The platform of a relay that does not get through: it refuses, or it never answers."""

    hangs = False

    async def open(self, part: PartRequest, text: str) -> LivePart:
        if self.hangs:
            await asyncio.Event().wait()
        raise DeliveryRefusedError("broken")


@in_virtual_time
async def test_a_relay_that_is_refused_is_a_wrong_answer() -> None:
    clock = LoopClock()
    store = MemoryStore(clock)
    async with replica(store, clock, outbound=Broken(CANARY_BOT, store.records, clock)) as one:
        assert not await one.beat()
        assert one.failures("wrong") == 1
        assert one.counted("turnkeeper_canary_last_success_timestamp_seconds") is None


@in_virtual_time
async def test_an_answer_that_is_another_one_is_wrong() -> None:
    clock = LoopClock()
    async with replica(MemoryStore(clock), clock, provider=FakeModel(says("something else"))) as one:
        assert not await one.beat()
        assert one.failures("wrong") == 1
        assert await one.store.records.all(KIND) == ()


@in_virtual_time
async def test_a_relay_that_hangs_is_late_and_after_a_few_nothing_more_is_queued() -> None:
    clock = LoopClock()
    store = MemoryStore(clock)
    outbound = Broken(CANARY_BOT, store.records, clock)
    outbound.hangs = True
    async with replica(store, clock, outbound=outbound) as one:
        begun = clock.now()
        assert not await one.beat()
        assert clock.now() - begun == pytest.approx(PATIENCE)
        for _ in range(WAITING + 3):
            assert not await one.beat()
        assert (one.failures("late"), one.failures("refused")) == (WAITING + 1, 3)
        assert len(await store.conversations.queue(key(), 100)) == WAITING + 1


@in_virtual_time
async def test_it_asks_again_and_again_and_not_while_the_process_drains() -> None:
    clock = LoopClock()
    async with replica(MemoryStore(clock), clock) as one:
        life = asyncio.create_task(one.pulse.run(one.directory, 60.0))
        await asyncio.sleep(29)
        assert one.answers == 0
        await asyncio.sleep(601)
        assert one.answers in {10, 11}
        before = one.answers
        await one.directory.drain(0)
        await asyncio.sleep(300)
        assert one.answers == before
        assert [one.failures(reason) for reason in FAILURES] == [0] * len(FAILURES)
        life.cancel()


def test_before_it_is_switched_on_nothing_is_exposed() -> None:
    registry = CollectorRegistry()
    registry.register(CanaryMetrics())
    samples = [
        sample.name
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    ]
    assert samples == []


async def test_in_the_gateway_nobody_sees_its_conversation(tmp_path: Path) -> None:
    async with running(tmp_path) as whole, aiohttp.ClientSession() as http:

        async def asked(path: str) -> Any:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with http.get(f"{whole.url}{path}", headers=headers) as answer:
                return await answer.text() if path == "/metrics" else (answer.status, await answer.json())

        running_pulse = whole.gateway.beside["canary"]
        assert isinstance(running_pulse, partial)
        pulse = cast(Any, running_pulse.func).__self__
        assert isinstance(pulse, Pulse)
        while "turnkeeper_canary_seconds_count" not in await asked("/metrics"):
            await asyncio.sleep(0.02)
        assert await pulse.beat(whole.gateway.directory)
        exposed = await asked("/metrics")
        assert "turnkeeper_canary_seconds_count 1.0" in exposed
        assert "turnkeeper_turns_total{" not in exposed
        happened = whole.store.turns.happened
        assert {event.key.bot for event in happened} == {CANARY_BOT}
        told = str(happened[0].key)
        status, listed = await asked("/api/v1/conversations")
        assert (status, listed["items"]) == (200, [])
        for path in (f"/api/v1/conversations/{told}", f"/api/v1/turns/{happened[0].turn_id}"):
            status, _ = await asked(path)
            assert status == 404
        assert not Principal("ada", "admin").sees(CANARY_BOT)


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with running(tmp_path, telemetry={"canary": 0}) as whole:
        assert "canary" not in whole.gateway.beside
