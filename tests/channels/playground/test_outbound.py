"""Answers in the playground: records that grow, seen from anywhere, written by one attempt at a time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.playground import Chats, PlaygroundOutbound
from channels.playground.outbound import INTERVAL, PART_BYTES
from channels.playground.part import KIND, Part, stored_part
from conversation.messages import Address
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryRefusedError,
    DeliveryUnknownError,
    PartRequest,
    unsaved,
)
from conversation.providers.port import ProviderError
from conversation.stores.memory.records import MemoryRecords
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record
from conversation.texts import notice
from conversation.turn import Reason, part_id
from tests import virtual_time
from tests.conversation.fake_platform import says
from tests.conversation.house import House
from tests.conversation.made_up import message
from tests.virtual_time import LoopClock

TO = Address("chat1", "m1", "", "U1", "T1")


def request(attempt: int = 1, *, turn: str = "turn1", number: int = 0) -> PartRequest:
    return PartRequest(TO, part_id(turn, number), attempt, unsaved)


class Shaky(MemoryRecords):
    """Records of a store that may be away: ``lost`` puts take effect and are not answered, ``away`` ones do not."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: list[str] = []
        self.history: list[tuple[float, str]] = []

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "away":
            raise StoreUnavailableError("away")
        record = await super().put(kind, id, document, expected=expected)
        if id.count("/") == 2:
            self.history.append((asyncio.get_running_loop().time(), stored_part.read(document).text))
        if trouble == "lost":
            raise StoreUnavailableError("no answer")
        return record

    @property
    def shown(self) -> list[str]:
        return [part.text for part in self.parts]

    @property
    def growing(self) -> bool:
        return any(part.growing for part in self.parts)

    @property
    def parts(self) -> list[Part]:
        return [stored_part.read(one.document) for one in self._records.values() if one.id.count("/") == 2]


def outbound(records: MemoryRecords) -> PlaygroundOutbound:
    return PlaygroundOutbound("playground~default", records, LoopClock())


def test_an_answer_grows_about_five_times_a_second_and_ends_complete() -> None:
    records = Shaky()
    words = [f"word{number} " for number in range(100)]
    house = House(says(*(item for word in words for item in (word, 0.02))), outbound=outbound(records))

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()

    virtual_time.run(story())
    assert records.shown == ["".join(words)]
    assert not records.growing
    times = [at for at, _ in records.history]
    assert all(later - earlier >= INTERVAL - 0.01 for earlier, later in pairwise(times[1:-1]))
    assert len(times) == pytest.approx(2 / INTERVAL, abs=3)


def test_what_does_not_fit_goes_on_in_a_next_part() -> None:
    records = Shaky()
    house = House(says("x" * (PART_BYTES + 5)), outbound=outbound(records))

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()

    virtual_time.run(story())
    assert sorted(len(text) for text in records.shown) == [5, PART_BYTES]


async def test_a_part_that_is_opened_again_is_the_one_that_is_there() -> None:
    records = MemoryRecords()
    await outbound(records).open(request(1), "half an ans")
    live = await outbound(records).open(request(2), "the answer")
    await live.close("the answer, whole")
    (record,) = await records.all(KIND)
    assert stored_part.read(record.document).text == "the answer, whole"


async def test_a_part_whose_sending_was_not_answered_is_found() -> None:
    records = Shaky()
    records.trouble = ["lost"]
    with pytest.raises(DeliveryUnknownError):
        await outbound(records).open(request(), "hello")
    ref = await outbound(records).find(request())
    assert ref is not None
    assert await outbound(records).find(request(turn="another")) is None
    live = await outbound(records).resume(request(2), ref)
    await live.close("hello, world")
    assert records.shown == ["hello, world"]


async def test_from_a_takeover_on_the_earlier_attempt_writes_nothing() -> None:
    records = MemoryRecords()
    early = await outbound(records).open(request(1), "early")
    ref = await outbound(records).find(request())
    assert ref is not None
    late = await outbound(records).resume(request(2), ref)
    await late.show("late")
    with pytest.raises(DeliveryDelayedError):
        await early.show("early again")
    with pytest.raises(DeliveryDelayedError):
        await outbound(records).remove(request(1), ref)
    (record,) = await records.all(KIND)
    assert stored_part.read(record.document).text == "late"


@pytest.mark.parametrize("trouble", ["away", "lost"])
async def test_an_edit_that_got_no_answer_may_be_repeated(trouble: str) -> None:
    records = Shaky()
    live = await outbound(records).open(request(), "a")
    records.trouble = [trouble]
    with pytest.raises(DeliveryDelayedError):
        await live.show("ab")
    await live.close("abc")
    assert records.shown == ["abc"]
    assert not records.growing


async def test_a_surplus_part_is_taken_away_and_that_may_be_repeated() -> None:
    records = MemoryRecords()
    await outbound(records).open(request(), "surplus")
    ref = await outbound(records).find(request())
    assert ref is not None
    await outbound(records).remove(request(2), ref)
    await outbound(records).remove(request(2), ref)
    assert await records.all(KIND) == ()


async def test_a_ref_of_something_else_is_refused() -> None:
    with pytest.raises(DeliveryRefusedError):
        await outbound(MemoryRecords()).resume(request(), "bot/chat/part")


async def test_a_record_that_cannot_be_read_is_written_anew() -> None:
    records = MemoryRecords()
    await outbound(records).open(request(), "hello")
    (record,) = await records.all(KIND)
    await records.put(KIND, record.id, b"damaged", expected=record.version)
    live = await outbound(records).resume(request(2), record.id)
    await live.close("whole again")
    assert stored_part.read((await records.all(KIND))[0].document).text == "whole again"


@settings(max_examples=200)
@given(
    pieces=st.lists(
        st.tuples(st.text("ab c\n", min_size=1, max_size=30), st.sampled_from((0.0, 0.05, 0.3, 4.0))),
        min_size=1,
        max_size=12,
    ),
    trouble=st.lists(st.sampled_from(("", "", "lost", "away")), max_size=12),
    model_fails=st.booleans(),
    deaths=st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans()), max_size=3),
)
def test_whatever_happens_each_question_has_one_complete_answer(
    pieces: list[tuple[str, float]], trouble: list[str], model_fails: bool, deaths: list[tuple[float, bool]]
) -> None:
    """``deaths``: seconds of each life, and whether it ends in a hurried drain instead of a crash."""
    records = Shaky()
    records.trouble = trouble
    end = (ProviderError(Reason.MODEL_ERROR, "cut off"),) if model_fails else ()
    house = House(says("x", *(item for piece in pieces for item in piece), *end), outbound=outbound(records))
    answer = "x" + "".join(text for text, _ in pieces)

    async def story() -> None:
        for life, (seconds, drained) in enumerate((*deaths, (None, False))):
            async with house.running():
                if life == 0:
                    await house.say(message("one"))
                    await house.say(message("two"))
                if seconds is None:
                    await house.quiet()
                else:
                    await asyncio.sleep(seconds)
                    if drained:
                        await house.directory.drain(0.3)

    virtual_time.run(story())
    assert house.outcomes == ["model_error" if model_fails else "answered"] * 2
    assert not records.growing
    told = {
        said: answer + (notice(Reason.MODEL_ERROR, "en", message(said).turn_id[:8]) if model_fails else "")
        for said in ("one", "two")
    }
    assert sorted("".join(text.split()) for text in records.shown) == sorted(
        "".join(text.split()) for text in told.values()
    )


async def test_a_chat_shows_questions_and_answers_in_the_order_of_asking() -> None:
    records, clock = MemoryRecords(), LoopClock()
    chats, hidden = Chats(records, clock), "playground~default"
    for number in (1, 2):
        await chats.ask(hidden, "chat1", f"turn{number}", f"question {number}")
        await chats.ask(hidden, "chat1", f"turn{number}", f"question {number}")
    await chats.ask(hidden, "chat2", "turn3", "elsewhere")
    second = await outbound(records).open(request(turn="turn2"), "")
    first = await outbound(records).open(request(turn="turn1"), "answer 1")
    await first.close("answer 1")
    await (await outbound(records).open(request(turn="turn1", number=1), "")).close("continued")
    assert [(line.role, line.text, line.growing) for line in await chats.lines(hidden, "chat1")] == [
        ("person", "question 1", False),
        ("agent", "answer 1", False),
        ("agent", "continued", False),
        ("person", "question 2", False),
        ("agent", "", True),
    ]
    await second.close("answer 2")
    assert (await chats.lines(hidden, "chat1"))[-1].text == "answer 2"
    await chats.take_back(hidden, "chat1", "turn2")
    assert [line.text for line in await chats.lines(hidden, "chat1")][-1] == "continued"


def test_who_watches_a_chat_sees_the_answer_grow_part_by_part_and_question_by_question() -> None:
    records, hidden = Shaky(), "playground~default"
    chats = Chats(records, LoopClock())
    seen: list[list[str]] = []

    async def look() -> None:
        async with aclosing(chats.watch(hidden, "chat1")) as changes:
            async for lines in changes:
                seen.append([line.text for line in lines])  # noqa: PERF401 - what was seen before it is cancelled counts

    async def story() -> None:
        watching = asyncio.create_task(look())
        await asyncio.sleep(1)
        for number in (1, 2):
            turn = f"turn{number}"
            await chats.ask(hidden, "chat1", turn, f"question {number}")
            await asyncio.sleep(1)
            for part in (0, 1):
                live = await outbound(records).open(request(turn=turn, number=part), "")
                await live.show("gro")
                await asyncio.sleep(1)
                await live.close("grown")
                await asyncio.sleep(1)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    virtual_time.run(story())
    assert seen[0] == []
    assert ["question 1", "gro"] in seen
    assert ["question 1", "grown", "gro"] in seen
    assert seen[-1] == ["question 1", "grown", "grown", "question 2", "grown", "grown"]
    assert all(earlier != later for earlier, later in pairwise(seen))


async def test_only_the_newest_questions_of_a_chat_are_kept() -> None:
    chats = Chats(MemoryRecords(), LoopClock())
    for number in range(60):
        await chats.ask("playground~default", "chat1", f"turn{number}", str(number))
    lines = await chats.lines("playground~default", "chat1")
    assert [line.text for line in lines] == [str(number) for number in range(10, 60)]


async def test_long_questions_push_out_earlier_ones_and_never_themselves() -> None:
    chats = Chats(MemoryRecords(), LoopClock())
    for number in range(4):
        await chats.ask("playground~default", "chat1", f"turn{number}", str(number) * 90_000)
    assert [line.text[0] for line in await chats.lines("playground~default", "chat1")] == ["2", "3"]
    await chats.ask("playground~default", "chat1", "turn9", "9" * 300_000)
    assert [line.text[0] for line in await chats.lines("playground~default", "chat1")] == ["9"]


def test_another_chat_is_another_part() -> None:
    records = Shaky()

    async def story() -> None:
        elsewhere = replace(TO, chat="chat2")
        await outbound(records).open(request(), "here")
        await outbound(records).open(PartRequest(elsewhere, request().id, 1, unsaved), "there")

    virtual_time.run(story())
    assert records.shown == ["here", "there"]
