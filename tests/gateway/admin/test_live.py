"""Conversations as they run, and the text of the reply as it grows."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import Self

import pytest

from conversation.in_flight import InFlight
from conversation.keys import ConversationKey
from conversation.stores.memory.records import MemoryRecords
from gateway.admin.access import Principal
from gateway.admin.errors import UnknownError
from gateway.admin.live import STAYS_FOR, Lane
from gateway.replies import FRESH_FOR, LIVE, WATCH, Replies
from tests import virtual_time
from tests.conversation.fake_platform import says
from tests.conversation.made_up import key, message
from tests.gateway.admin.front_office import ADMIN, OPERATOR, STRANGER, VIEWER, FrontOffice, tell
from tests.virtual_time import LoopClock


def seen(lanes: tuple[Lane, ...]) -> list[tuple[str, str, int, str | None]]:
    return [
        (ConversationKey.parse(one.conversation.key).chat, one.conversation.state, len(one.queue), one.reply)
        for one in lanes
    ]


def test_each_conversation_that_runs_is_a_lane_with_its_queue_and_its_growing_reply() -> None:
    office = FrontOffice(says("a", 2.0, "b", 2.0, "c"))

    async def story() -> None:
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        await asyncio.sleep(1)
        await office.house.say(message("one", chat="C2"))
        await asyncio.sleep(2)
        lanes = await office.live().snapshot(OPERATOR)
        assert seen(lanes) == [("C2", "running", 1, "ab"), ("C1", "running", 2, "ab")]
        assert [one.reply_seconds for one in lanes] == [pytest.approx(2, abs=0.2), pytest.approx(3, abs=0.2)]
        blind = await office.live().snapshot(VIEWER)
        assert seen(blind) == [("C2", "running", 1, None), ("C1", "running", 2, None)]
        assert blind[0].reply_seconds is not None
        assert await office.live().snapshot(STRANGER) == ()
        for bot in ("helpdesk", "gone"):
            with pytest.raises(UnknownError):
                office.live().watch(STRANGER, bot=bot)

    tell(office, story)


def test_a_lane_stays_a_while_and_then_goes() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.say(message())
        await office.house.quiet()
        assert seen(await office.live().snapshot(ADMIN)) == [("C1", "idle", 0, None)]
        await asyncio.sleep(STAYS_FOR)
        assert await office.live().snapshot(ADMIN) == ()

    tell(office, story)


def test_who_watches_sees_every_change_and_no_more_than_four_a_second() -> None:
    office = FrontOffice(says(*(item for _ in range(20) for item in ("x", 0.1))))
    shown: list[tuple[float, list[tuple[str, str, int, str | None]]]] = []

    async def look() -> None:
        async with aclosing(office.live().watch(OPERATOR, bot="helpdesk")) as changes:
            async for lanes in changes:
                shown.append((asyncio.get_running_loop().time(), seen(lanes)))  # noqa: PERF401 - it is cancelled

    async def story() -> None:
        watching = asyncio.create_task(look())
        await asyncio.sleep(10)
        await office.house.say(message())
        await office.house.quiet()
        await asyncio.sleep(10)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    tell(office, story)
    assert shown[0][1] == []
    assert 8 <= len(shown) <= 13, "as it grows, and not in between"
    replies = [lanes[0][3] or "" for _, lanes in shown[1:-1]]
    assert replies == sorted(replies)
    assert shown[-1][1] == [("C1", "idle", 0, None)]
    times = [at for at, _ in shown]
    assert all(later - earlier >= 0.24 for earlier, later in pairwise(times[1:]))


def test_one_bot_of_the_playground_may_be_watched_too() -> None:
    office = FrontOffice(says("a", 5.0, "b"))

    async def story() -> None:
        await office.playground.say(ADMIN, "default", "chat", "hi", "r1")
        await asyncio.sleep(1)
        assert seen(await office.live().snapshot(ADMIN)) == []
        assert seen(await office.live().snapshot(ADMIN, bot="playground~default")) == [
            ("chat", "running", 1, "a")
        ]
        limited = Principal("one", "operator", frozenset({"helpdesk"}))
        with pytest.raises(UnknownError):
            await office.live().snapshot(limited, bot="playground~default")

    tell(office, story)


class _Replica:
    """A process that shares a store with others."""

    def __init__(self, records: MemoryRecords) -> None:
        self.in_flight = InFlight()
        self.replies = Replies(self.in_flight, records, LoopClock(), alone=False)

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.replies.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


def test_a_reply_of_another_replica_is_seen_while_somebody_watches_and_nothing_is_written_else() -> None:
    records = MemoryRecords()
    text = "hello"

    async def story() -> None:
        nonlocal text
        async with _Replica(records) as writer, _Replica(records) as watcher:
            with writer.in_flight.showing(key(), "turn1", lambda: text, 7.0, kept=True):
                await asyncio.sleep(5)
                assert watcher.replies.of(key()) is None
                assert await records.revision(WATCH) == await records.revision(LIVE) == 0
                with watcher.replies.watching():
                    await asyncio.sleep(2.5)
                    told = watcher.replies.of(key())
                    assert told is not None
                    assert (told.turn_id, told.text, told.since) == ("turn1", "hello", 7.0)
                    text = "hello, world"
                    await asyncio.sleep(2.5)
                    told = watcher.replies.of(key())
                    assert told is not None
                    assert told.text == "hello, world"
                await asyncio.sleep(FRESH_FOR + 3)
                assert await records.all(WATCH) == await records.all(LIVE) == ()
                written = await records.revision(LIVE)
                await asyncio.sleep(60)
                assert await records.revision(LIVE) == written
                assert watcher.replies.of(key()) is None

    virtual_time.run(story())


def test_a_watcher_that_died_is_not_told_for_ever_and_a_writer_that_died_is_not_believed() -> None:
    records = MemoryRecords()

    async def story() -> None:
        async with _Replica(records) as writer:
            writing = writer.in_flight.showing(key(), "turn1", lambda: "hello", 7.0, kept=True)
            writing.__enter__()
            async with _Replica(records) as watcher:
                for_ever = watcher.replies.watching()
                for_ever.__enter__()
                await asyncio.sleep(3)
                assert watcher.replies.of(key()) is not None
            await asyncio.sleep(FRESH_FOR + 3)
            written = await records.revision(LIVE)
            await asyncio.sleep(10)
            assert await records.revision(LIVE) == written
            async with _Replica(records) as another:
                with another.replies.watching():
                    await asyncio.sleep(3)
                    await writer.__aexit__()
                    await asyncio.sleep(FRESH_FOR + 3)
                    assert another.replies.of(key()) is None

    virtual_time.run(story())


def test_what_another_version_tells_disturbs_nobody() -> None:
    records = MemoryRecords()

    async def story() -> None:
        async with _Replica(records) as writer, _Replica(records) as watcher:
            with (
                writer.in_flight.showing(key(), "turn1", lambda: "hello", 7.0, kept=True),
                watcher.replies.watching(),
            ):
                later = b'{"at":1,"replies":[{"key":"k2.x","turn":"t","text":"","since":1}]}'
                for number, document in enumerate(
                    (b"damaged", b'{"type":"turnkeeper.live.v1","data":%b}' % later)
                ):
                    await records.put(LIVE, str(number), document, expected=0)
                    await records.put(WATCH, str(number), document, expected=0)
                await asyncio.sleep(3)
                assert watcher.replies.of(key()) is not None

    virtual_time.run(story())


def test_what_a_bot_that_keeps_no_texts_writes_is_told_to_no_other_replica() -> None:
    records = MemoryRecords()

    async def story() -> None:
        async with _Replica(records) as writer, _Replica(records) as watcher:
            with (
                writer.in_flight.showing(key(), "turn1", lambda: "secret", 7.0, kept=False),
                watcher.replies.watching(),
            ):
                await asyncio.sleep(5)
                assert watcher.replies.of(key()) is None
                assert not any(b"secret" in record.document for record in await records.all(LIVE))
                own = writer.replies.of(key())
                assert own is not None
                assert own.text == "secret"

    virtual_time.run(story())


def test_a_text_is_put_together_only_when_somebody_looks() -> None:
    asked = 0

    def text() -> str:
        nonlocal asked
        asked += 1
        return "hello"

    async def story() -> None:
        async with _Replica(MemoryRecords()) as writer:
            with writer.in_flight.showing(key(), "turn1", text, 7.0, kept=True):
                await asyncio.sleep(60)
                assert asked == 0
                assert writer.replies.of(key()) is not None
            assert writer.replies.of(key()) is None

    virtual_time.run(story())
