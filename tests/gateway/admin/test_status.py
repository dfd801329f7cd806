"""How a bot fares: counted in every process, the same on all."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.port import Channel
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from conversation.providers.port import ProviderError
from conversation.stores.memory.records import MemoryRecords
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record
from conversation.turn import Reason
from gateway.admin.errors import UnknownError
from gateway.admin.explanations import ERRORS
from gateway.admin.status import SCOPES_KNOWN_FOR, BotStatuses, StatusView
from gateway.hosting import HostedBot
from gateway.status import KIND, StatusBook
from gateway.tally import HOUR, Tally, bucket
from gateway.verdict import What
from tests import virtual_time
from tests.conversation.fake_platform import in_turn, says
from tests.conversation.made_up import message
from tests.gateway.admin.front_office import ADMIN, STRANGER, VIEWER, FrontOffice, tell
from tests.virtual_time import EPOCH, LoopClock

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), max_size=3)
TIMES = st.sampled_from((0.0, 1.0, 2.0, 3.0))
TALLIES = st.builds(
    Tally,
    challenge_at=TIMES,
    first_event_at=TIMES,
    last_event_at=TIMES,
    acks=COUNTS,
    ignored=COUNTS,
    seen_events=st.lists(st.sampled_from("xyz"), unique=True).map(lambda one: tuple(sorted(one))),
    slowness=st.dictionaries(
        st.integers(1, 4), st.dictionaries(st.integers(0, 3), st.integers(1, 5), max_size=2)
    ),
)


@given(TALLIES, TALLIES, TALLIES)
def test_who_counted_and_which_was_added_first_does_not_matter(one: Tally, two: Tally, three: Tally) -> None:
    assert one.plus(two) == two.plus(one)
    assert one.plus(two).plus(three) == one.plus(two.plus(three))


def test_99_of_100_answers_were_as_quick_as_is_told() -> None:
    quick, slow = bucket(0.004), bucket(1.9)
    assert Tally().ack_p99() is None
    assert Tally(slowness={7: {quick: 99, slow: 1}}).ack_p99() == pytest.approx(0.004, rel=0.25)
    assert Tally(slowness={6: {quick: 50}, 7: {quick: 48, slow: 2}}).ack_p99() == pytest.approx(1.9, rel=0.25)


def test_what_was_slow_long_ago_is_forgotten() -> None:
    begun = int(EPOCH // HOUR)
    old = Tally(slowness={begun: {bucket(2.0): 100}})
    new = Tally(slowness={begun + 2: {bucket(0.002): 1}})
    assert old.plus(new).ack_p99() == pytest.approx(0.002, rel=0.25)


def view(office: FrontOffice) -> StatusView:
    """In a process of its own, after the story."""
    seen: list[StatusView] = []

    async def look() -> None:
        seen.append(await office.statuses.of(VIEWER, "helpdesk"))

    tell(office, look)
    return seen[0]


def test_a_bot_begins_with_nothing_and_tells_what_arrived_and_what_was_answered() -> None:
    office = FrontOffice(in_turn(says("fine"), says(ProviderError(Reason.MODEL_TIMEOUT, "slow"))))

    async def story() -> None:
        book = office.book
        empty = await office.statuses.of(VIEWER, "helpdesk")
        assert (empty.challenge_at, empty.first_event_at, empty.last_error, empty.ack_ms_p99) == (None,) * 4
        book.answered("slack", "helpdesk", "challenge", "", 0.001)
        await asyncio.sleep(1)
        told: tuple[tuple[What, str], ...] = (
            ("accepted", ""),
            ("duplicate", ""),
            ("ignored", "not_mentioned"),
            ("refused", "queue_full"),
        )
        for what, reason in told:
            book.answered("slack", "helpdesk", what, reason, 0.003)
        await office.house.say(message("one"))
        await office.house.say(message("two"))
        await office.house.quiet()

    tell(office, story)
    found = view(office)
    assert found.challenge_at is not None
    assert found.first_event_at is not None
    assert (found.first_event_at - found.challenge_at).total_seconds() == pytest.approx(1, abs=0.01)
    assert found.acks == {"challenge": 1, "accepted": 1, "duplicate": 1, "ignored": 1, "refused": 1}
    assert found.ignored == {"not_mentioned": 1}
    assert found.replies == {"answered": 1, "failed": 1}
    assert found.notices == {"model_timeout": 1}
    assert found.last_error == "model_timeout"
    assert found.last_error_en is not None
    assert "too slow" in found.last_error_en
    assert found.ack_ms_p99 == pytest.approx(3, rel=0.3)
    assert (found.running, found.waiting) == (0, 0)


def test_what_runs_and_waits_is_told_as_it_is_now() -> None:
    office = FrontOffice(says(5.0, "fine"))

    async def story() -> None:
        for text in ("one", "two", "three"):
            await office.house.say(message(text))
        await asyncio.sleep(1)
        found = await office.statuses.of(VIEWER, "helpdesk")
        assert (found.running, found.waiting) == (1, 2)

    tell(office, story)


def test_a_signature_that_is_wrong_is_an_error_that_says_what_to_do() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        office.book.answered("slack", "helpdesk", "rejected", "signature", 0.001)
        found = await office.statuses.of(VIEWER, "helpdesk")
        assert found.rejected == {"signature": 1}
        assert found.first_event_at is None
        assert found.last_error_zh == ERRORS["rejected:signature"].zh

    tell(office, story)


def test_a_bot_that_is_not_seen_or_not_there_has_no_status() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        for who, bot in ((STRANGER, "helpdesk"), (ADMIN, "gone"), (ADMIN, "playground~default")):
            with pytest.raises(UnknownError):
                await office.statuses.of(who, bot)
            with pytest.raises(UnknownError):
                office.statuses.watch(who, bot)

    tell(office, story)


def test_an_answer_that_the_platform_does_not_take_now_is_an_error_before_it_is_given_up() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        office.house.platform.trouble["open"] = [DeliveryDelayedError("429", 600.0)]
        await office.house.say(message())
        await asyncio.sleep(5)
        found = await office.statuses.of(VIEWER, "helpdesk")
        assert (found.last_error, found.replies, found.waiting) == ("put_back", {}, 1)
        assert found.last_error_en == ERRORS["put_back"].en

    tell(office, story)


def test_hidden_bots_are_not_counted() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.playground.say(ADMIN, "default", "chat", "hi", "r1")
        await office.house.quiet()
        await office.book.add_up()
        assert await office.house.store.records.all(KIND) == ()

    tell(office, story)


class _Platform:
    """As much of a channel as a status needs."""

    def __init__(self) -> None:
        self.held_back = 0.0
        self.seen_events = frozenset({"app_mention"})
        self.missing: tuple[str, ...] | None = ("chat:write",)
        self.trouble: Exception | None = None
        self.asked = 0

    async def missing_scopes(self) -> tuple[str, ...] | None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return self.missing


def on(office: FrontOffice, platform: _Platform) -> None:
    route = office.routes["slack", "helpdesk"]
    office.routes["slack", "helpdesk"] = HostedBot(route.bot, platform)  # type: ignore[arg-type]  # as good as one


def test_who_watches_hears_of_scopes_and_pressure_and_the_platform_is_asked_seldom() -> None:
    office, platform = FrontOffice(says("fine")), _Platform()
    seen: list[StatusView] = []

    async def look(statuses: BotStatuses) -> None:
        async with aclosing(statuses.watch(VIEWER, "helpdesk")) as changes:
            async for one in changes:
                seen.append(one)  # noqa: PERF401 - what was seen before it is cancelled counts

    async def story() -> None:
        on(office, platform)
        statuses = office.statuses
        tasks = [asyncio.create_task(statuses.run()), asyncio.create_task(look(statuses))]
        await asyncio.sleep(5)
        platform.held_back = 12.345
        await asyncio.sleep(5)
        platform.held_back, platform.missing = 0.0, ()
        await asyncio.sleep(SCOPES_KNOWN_FOR)
        platform.trouble = DeliveryDelayedError("away", 1.0)
        await asyncio.sleep(SCOPES_KNOWN_FOR)
        for trouble in (DeliveryRefusedError("revoked"), RuntimeError("a bug")):
            platform.trouble = trouble
            await asyncio.sleep(SCOPES_KNOWN_FOR)
        platform.trouble = None
        await asyncio.sleep(SCOPES_KNOWN_FOR)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    tell(office, story)
    assert seen[0].missing_scopes is None
    assert [(one.missing_scopes, one.held_back_seconds) for one in seen[1:]] == [
        (("chat:write",), 0.0),
        (("chat:write",), 12.3),
        (("chat:write",), 0.0),
        ((), 0.0),
        (None, 0.0),
        ((), 0.0),
    ]
    assert seen[0].seen_events == ("app_mention",)
    assert platform.asked == 6


class _Away(MemoryRecords):
    """Records of a store that is away as often as is planned."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        if self.away:
            self.away -= 1
            raise StoreUnavailableError("away")
        return await super().put(kind, id, document, expected=expected)


def test_what_was_counted_while_the_store_was_away_is_added_once_it_is_back() -> None:
    records = _Away()

    async def story() -> None:
        bots: dict[str, Channel] = {}
        book = StatusBook(records, LoopClock(), lambda: bots)
        records.away = 3
        running = asyncio.create_task(book.run())
        for number in range(10):
            book.answered("slack", "helpdesk", "accepted", "", 0.001)
            assert (await book.tally("helpdesk")).acks["accepted"] == number + 1
            await asyncio.sleep(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        later = StatusBook(records, LoopClock(), lambda: bots)
        assert (await later.tally("helpdesk")).acks == {"accepted": 10}

    virtual_time.run(story())


def test_two_processes_count_into_one_record_and_lose_nothing() -> None:
    records = MemoryRecords()

    async def story() -> None:
        books = [StatusBook(records, LoopClock(), dict) for _ in range(2)]
        running = [asyncio.create_task(book.run()) for book in books]
        for number in range(50):
            books[number % 2].answered("slack", "helpdesk", "accepted", "", 0.001)
            await asyncio.sleep(0.3)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for book in books:
            assert (await book.tally("helpdesk")).acks == {"accepted": 50}

    virtual_time.run(story())


def test_a_bot_that_was_removed_is_forgotten_so_that_a_later_one_of_its_name_begins_anew() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        office.book.answered("slack", "helpdesk", "challenge", "", 0.001)
        await office.book.add_up()
        route = office.routes.pop(("slack", "helpdesk"))
        await office.book.add_up()
        office.routes["slack", "helpdesk"] = route
        await office.book.add_up()
        assert (await office.statuses.of(VIEWER, "helpdesk")).challenge_at is None

    tell(office, story)


def test_a_bot_that_is_only_not_in_force_keeps_its_status() -> None:
    office = FrontOffice(says("fine"))

    async def story() -> None:
        await office.house.store.records.put("bot", "helpdesk", b"{}", expected=0)
        office.book.answered("slack", "helpdesk", "challenge", "", 0.001)
        await office.book.add_up()
        office.routes.clear()
        await office.book.add_up()
        assert (await office.book.tally("helpdesk")).challenge_at > 0

    tell(office, story)


def test_a_record_of_another_version_is_counted_anew() -> None:
    records = MemoryRecords()

    async def story() -> None:
        await records.put(KIND, "helpdesk", b"of a later version", expected=0)
        book = StatusBook(records, LoopClock(), dict)
        book.answered("slack", "helpdesk", "accepted", "", 0.001)
        await book.add_up()
        assert (await book.tally("helpdesk")).acks == {"accepted": 1}

    virtual_time.run(story())
