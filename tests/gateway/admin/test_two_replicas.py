"""Two gateways on one Redis: what one writes is seen at the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from channels.playground import PlaygroundOutbound
from conversation.actor import Actor
from conversation.bot import Agent, Bot
from conversation.busy import Limits
from conversation.clock import SystemClock
from conversation.directory import Directory
from conversation.executor import Executor
from conversation.in_flight import InFlight
from conversation.stores.redis import RedisStore
from gateway.admin.access import playground_bot
from gateway.admin.live import Live
from gateway.admin.playground import Playground
from gateway.replies import Replies
from gateway.status import StatusBook
from tests.conversation.fake_platform import FakeModel, says
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.gateway.admin.front_office import ADMIN

HIDDEN = playground_bot("default")


@dataclass
class Replica:
    """``busy`` ones take no turns: what they admit is answered by the other."""

    playground: Playground
    live: Live
    book: StatusBook


@asynccontextmanager
async def replica(namespace: str, *, busy: bool) -> AsyncIterator[Replica]:
    clock, in_flight = SystemClock(), InFlight()
    store = RedisStore(valkey().url, namespace=namespace, clock=clock, partitions=1)
    await store.open()
    agent = Agent("default", FakeModel(says(*(item for word in range(30) for item in (f"w{word} ", 0.1)))))
    bots = {HIDDEN: Bot(HIDDEN, agent, PlaygroundOutbound(HIDDEN, store.records, clock), limits=Limits())}
    executor = Executor(bots, {"default": agent}, store.turns, store.transcripts, clock, in_flight)
    book = StatusBook(store.records, clock, dict)
    actor = Actor(executor, store.turns, clock, keep_turns=100, observer=book)
    directory = Directory(store, actor.run, clock, max_replies=0 if busy else 10)
    replies = Replies(in_flight, store.records, clock, alone=store.exclusive)
    started = asyncio.Event()
    background = [
        asyncio.create_task(running) for running in (directory.run(started), replies.run(), book.run())
    ]
    await started.wait()
    live = Live(bots, {"default": agent}, {}, store, replies, clock)
    yield Replica(Playground(bots, store, directory, clock), live, book)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await store.close()


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    namespace = fresh_namespace()
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(replica(namespace, busy=True))
        back = await stack.enter_async_context(replica(namespace, busy=False))
        yield front, back


async def test_a_reply_that_runs_in_one_is_seen_growing_at_the_other(
    replicas: tuple[Replica, Replica],
) -> None:
    front, _ = replicas
    await front.playground.say(ADMIN, "default", "chat", "hi", "r1")
    answers: list[str] = []
    async with asyncio.timeout(30), aclosing(front.playground.watch(ADMIN, "default", "chat")) as changes:
        async for lines in changes:
            if len(lines) == 2:
                answers.append(lines[1].text)
                if not lines[1].growing:
                    break
    assert answers[-1] == "".join(f"w{word} " for word in range(30))
    assert len(answers) >= 5
    assert all(later.startswith(earlier) for earlier, later in pairwise(answers))


async def test_lanes_show_the_text_of_the_other_replicas_reply(replicas: tuple[Replica, Replica]) -> None:
    front, back = replicas
    await front.playground.say(ADMIN, "default", "chat", "hi", "r1")
    texts: dict[str, list[str]] = {"front": [], "back": []}

    async def look(name: str, live: Live) -> None:
        async with aclosing(live.watch(ADMIN, bot=HIDDEN)) as changes:
            async for lanes in changes:
                if lanes and lanes[0].reply:
                    texts[name].append(lanes[0].reply)
                if lanes and lanes[0].conversation.state == "idle":
                    break

    async with asyncio.timeout(30), asyncio.TaskGroup() as watching:
        watching.create_task(look("front", front.live))
        watching.create_task(look("back", back.live))
    assert texts["back"], "in its own process it is at hand"
    assert texts["front"], "in the other it is told"
    assert len(texts["back"]) > len(texts["front"])
    whole = "".join(f"w{word} " for word in range(30))
    assert all(whole.startswith(text) for text in [*texts["front"], *texts["back"]])


async def test_what_one_counts_the_other_tells(replicas: tuple[Replica, Replica]) -> None:
    front, back = replicas
    front.book.answered("slack", "helpdesk", "challenge", "", 0.002)
    back.book.answered("slack", "helpdesk", "accepted", "", 0.002)
    async with asyncio.timeout(15):
        while (tally := await front.book.tally("helpdesk")).acks != {"challenge": 1, "accepted": 1}:
            await asyncio.sleep(0.05)
    assert tally.challenge_at > 0
