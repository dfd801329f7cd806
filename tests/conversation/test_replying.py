"""From an admitted message to its one visible answer, with every kind of trouble on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from channels import markdown
from conversation.bot import Gates, Timeouts
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryRefusedError,
    DeliveryUnknownError,
)
from conversation.providers.port import Entry, ProviderError
from conversation.stores.port import LEASE, StoreUnavailableError
from conversation.texts import notice
from conversation.turn import Reason
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, in_turn, says
from tests.conversation.house import House
from tests.conversation.made_up import key, message

WORDS = [f"word{number} " for number in range(20)]
ANSWER = "".join(WORDS)


def told(reason: Reason, text: str = "hello") -> str:
    return notice(reason, "en", message(text).turn_id[:8])


def one_life(house: House, *texts: str) -> None:
    """Say things, wait until all is answered, in virtual time."""

    async def story() -> None:
        async with house.running():
            for text in texts or ("hello",):
                await house.say(message(text))
            await house.quiet()

    virtual_time.run(story())


def test_an_answer_grows_in_one_message_and_is_complete() -> None:
    house = House(says(*(item for word in WORDS for item in (word, 0.2))))
    one_life(house)
    (visible,) = house.platform.messages
    assert visible.text == ANSWER
    assert not visible.growing
    assert visible.history[0][1] == WORDS[0], "the first words are shown at once"
    assert all(later.startswith(earlier) for (_, earlier), (_, later) in _steps(visible.history))
    assert all(later - earlier > 0.99 for (earlier, _), (later, _) in _steps(visible.history[:-1]))
    assert house.outcomes == ["answered"]


def test_the_model_is_given_the_conversation_so_far() -> None:
    house = House(says("fine"))
    one_life(house, "hello", "and you?")
    assert house.model.asked[1].system == "Be kind."
    assert house.model.asked[1].entries == (
        Entry("user", "hello"),
        Entry("assistant", "fine"),
        Entry("user", "and you?"),
    )


def test_messages_of_one_conversation_are_answered_in_order_without_overlap() -> None:
    house = House(says("a", 1.0, "b"))
    one_life(house, "one", "two", "three")
    assert [prompt.entries[-1].text for prompt in house.model.asked] == ["one", "two", "three"]
    spans = [(visible.history[0][0], visible.history[-1][0]) for visible in house.platform.messages]
    assert all(ended <= begun for (_, ended), (begun, _) in _steps(spans))


def test_ten_conversations_wait_for_nobody_elses_model() -> None:
    house = House(says(5.0, "done"))

    async def story() -> None:
        async with house.running():
            for chat in range(10):
                await house.say(message("hello", chat=f"C{chat}"))
            await house.quiet()
            assert asyncio.get_running_loop().time() < 7

    virtual_time.run(story())
    assert house.platform.shown == ["done"] * 10


def test_no_more_replies_run_at_once_than_allowed_and_nobody_is_forgotten() -> None:
    house = House(says(1.0, "done"), max_replies=3)
    most = 0

    async def story() -> None:
        nonlocal most
        async with house.running():
            for chat in range(10):
                await house.say(message("hello", chat=f"C{chat}"))
                await house.say(message("more", chat=f"C{chat}"))
                most = max(most, house.directory.running)
            await house.quiet()

    virtual_time.run(story())
    assert most == 3
    assert house.platform.shown == ["done"] * 20


@pytest.mark.parametrize("seconds_per_call", [0.0, 0.7])
def test_an_answer_longer_than_a_message_goes_on_in_the_next(seconds_per_call: float) -> None:
    house = House(says(*(item for word in WORDS for item in (word, 0.1))), FakePlatform(limit=50))
    house.platform.seconds_per_call = seconds_per_call
    one_life(house)
    assert "".join(house.platform.shown) == ANSWER
    assert all(len(text) <= 50 for text in house.platform.shown)
    assert not any(visible.growing for visible in house.platform.messages)


@pytest.mark.parametrize("interval", [0.05, 1.0, 3.0])
def test_an_answer_that_outgrows_its_message_leaves_on_screen_what_was_shown(interval: float) -> None:
    class WithTables(FakePlatform):
        """Cuts Markdown, at 400 bytes."""

        def cut(self, text: str, shown: int = 0) -> tuple[str, str] | None:
            return markdown.cut(text, 400, shown=shown)

        def steady(self, text: str, shown: int) -> int:
            return markdown.steady(text, 400, shown=shown)

    rows = [f"| row {number} | of a table |\n" for number in range(40)]
    pieces = ["Words before it. " * 18, "\n\n", "| a | b |\n", "|---|---|\n", *rows]
    house = House(says(*(item for piece in pieces for item in (piece, 0.2))), WithTables(interval=interval))
    one_life(house)
    assert len(house.platform.messages) > 2
    for visible in house.platform.messages:
        for (_, earlier), (_, later) in _steps(visible.history):
            assert later.rstrip().startswith(earlier.rstrip()), "something was taken back"
    assert all(text.startswith("| a | b |\n|---|---|\n| row ") for text in house.platform.shown[1:])
    seen = [line for text in house.platform.shown for line in text.splitlines() if "row" in line]
    assert seen == "".join(rows).splitlines()


@pytest.mark.parametrize("opens_early", [False, True])
def test_an_answer_that_outgrows_a_message_while_the_platform_is_busy_is_cut_all_the_same(
    opens_early: bool,
) -> None:
    platform = FakePlatform(limit=50, opens_early=opens_early)
    platform.trouble["open"] = [DeliveryDelayedError("429", 5.0), DeliveryUnknownError("timed out")]
    house = House(says(*(item for word in WORDS for item in (word, 0.3))), platform)
    one_life(house)
    assert "".join(platform.shown) == ANSWER


def test_a_platform_that_opens_early_shows_a_message_before_the_model_speaks() -> None:
    house = House(says(3.0, "done"), FakePlatform(opens_early=True))
    one_life(house)
    (visible,) = house.platform.messages
    assert [text for _, text in visible.history] == ["", "done"]
    assert visible.history[0][0] < 1


def test_a_bot_that_does_not_stream_shows_its_answer_once() -> None:
    platform = FakePlatform(opens_early=False)
    platform.streams = False
    house = House(says(*(item for word in WORDS for item in (word, 0.5))), platform)
    one_life(house)
    (visible,) = platform.messages
    assert [text for _, text in visible.history] == [ANSWER]


@pytest.mark.parametrize("opens_early", [False, True])
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (says(ProviderError(Reason.MODEL_ERROR, "500")), Reason.MODEL_ERROR),
        (says(ProviderError(Reason.MODEL_RATE_LIMITED, "429", retry_after=600)), Reason.MODEL_RATE_LIMITED),
        (says(), Reason.EMPTY_REPLY),
        (says("  \n"), Reason.EMPTY_REPLY),
        (says(1000.0), Reason.MODEL_TIMEOUT),
    ],
)
def test_a_model_without_an_answer_leads_to_one_notice_and_the_next_turn(
    script: Any, reason: Reason, opens_early: bool
) -> None:
    house = House(in_turn(script, says("fine")), FakePlatform(opens_early=opens_early))
    one_life(house, "hello", "still there?")
    assert [text.strip() for text in house.platform.shown] == [told(reason), "fine"]
    assert house.outcomes == [reason, "answered"]
    assert house.model.asked[-1].entries == (Entry("user", "still there?"),), "what failed is not shown again"


@pytest.mark.parametrize("end", [ProviderError(Reason.MODEL_ERROR, "cut off"), 1000.0], ids=["dies", "hangs"])
def test_a_model_that_fails_midway_leaves_its_words_and_one_notice_in_the_same_message(
    end: ProviderError | float,
) -> None:
    house = House(says("Once upon", 2.0, " a time", 2.0, end))
    one_life(house)
    reason = Reason.MODEL_ERROR if isinstance(end, ProviderError) else Reason.MODEL_TIMEOUT
    assert house.platform.shown == [f"Once upon a time\n\n{told(reason)}"]
    assert len(house.model.asked) == 1, "after words were shown the model is not asked again"


def test_a_model_that_recovers_before_it_said_anything_is_asked_again() -> None:
    busy = says(ProviderError(Reason.MODEL_RATE_LIMITED, "429", retry_after=2.0))
    house = House(in_turn(busy, busy, says("fine")))
    one_life(house)
    assert house.platform.shown == ["fine"]
    assert len(house.model.asked) == 3
    assert house.platform.messages[0].history[0][0] >= 4.0, "the model's Retry-After is obeyed"


def test_a_reply_that_never_ends_is_ended() -> None:
    house = House(says(*(("x", 30.0) * 100)), timeouts=Timeouts(reply=100.0))
    one_life(house)
    assert house.platform.shown == [f"xxxx\n\n{told(Reason.MODEL_TIMEOUT)}"]


def test_a_bug_in_a_provider_is_told_to_the_person_and_stays_with_its_turn() -> None:
    async def broken(_prompt: object) -> Any:
        raise KeyError("choices")
        yield ""  # type: ignore[unreachable]  # what makes it a generator

    house = House(in_turn(broken, says("fine")))
    one_life(house, "hello", "again")
    assert house.platform.shown == [told(Reason.EXECUTOR_CRASH), "fine"]


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        (Gates(enabled=False), Reason.BOT_DISABLED),
        (Gates(users=frozenset({"U2"})), Reason.NOT_ALLOWED),
        (Gates(chats=frozenset({"C2"})), Reason.NOT_ALLOWED),
        (Gates(max_age=-1.0), Reason.STALE),
    ],
)
def test_who_may_not_be_answered_is_told_so_without_the_model(gates: Gates, reason: Reason) -> None:
    house = House(says("never"), gates=gates)

    async def story() -> None:
        async with house.running():
            await asyncio.sleep(1)
            await house.say(message("hello"))
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == [told(reason)]
    assert house.model.asked == []


@pytest.mark.parametrize("call", ["open", "show", "close"])
def test_a_platform_that_is_busy_gets_the_newest_text_later(call: str) -> None:
    house = House(says(*(item for word in WORDS for item in (word, 0.5))))
    house.platform.trouble[call] = [DeliveryDelayedError("429", 3.0), DeliveryDelayedError("429", 3.0)]
    one_life(house)
    assert house.platform.shown == [ANSWER]


def test_a_send_of_unknown_fate_is_looked_up_before_it_is_repeated() -> None:
    arrived, lost = FakePlatform(), FakePlatform()
    arrived.trouble_after["open"] = [DeliveryUnknownError("timed out")]
    lost.trouble["open"] = [DeliveryUnknownError("timed out")]
    for platform in (arrived, lost):
        one_life(House(says(*(item for word in WORDS for item in (word, 0.5))), platform))
        assert platform.shown == [ANSWER]
        assert len(platform.lookups) == 1


def test_a_platform_that_is_down_for_long_gets_the_answer_when_it_is_back_without_the_model() -> None:
    house = House(says("the answer"))
    house.platform.trouble["open"] = [DeliveryDelayedError("503", 1.0)] * 12
    one_life(house)
    assert house.platform.shown == ["the answer"]
    assert len(house.model.asked) == 1


def test_a_platform_that_asks_for_a_long_wait_gets_it_without_keeping_a_slot() -> None:
    house = House(says("the answer"), max_replies=1)
    house.platform.trouble["close"] = [DeliveryDelayedError("429", 100.0)]

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await asyncio.sleep(1.0)
            await house.say(message("hi", chat="C2"))
            await asyncio.sleep(5.0)
            assert house.outcomes == ["answered"], "another conversation had the slot meanwhile"
            assert house.store.turns.happened[-1].key == key("C2")
            await house.quiet()
            assert asyncio.get_running_loop().time() >= 100.0

    virtual_time.run(story())
    assert house.platform.shown == ["the answer"] * 2


@pytest.mark.parametrize("call", ["open", "show", "close"])
def test_an_answer_that_can_never_be_delivered_becomes_a_dead_letter_and_the_rest_goes_on(call: str) -> None:
    house = House(in_turn(says("a", 2.0, "b", 2.0, "c", 2.0), says("fine")))
    house.platform.trouble[call] = [DeliveryRefusedError("channel_not_found")]
    one_life(house, "hello", "again")
    assert house.outcomes == ["delivery_failed", "answered"]
    assert [text.rpartition("\n\n")[2] for text in house.platform.shown] == [
        told(Reason.DELIVERY_FAILED),
        "fine",
    ], "what can still be said is said"
    assert not any(visible.growing for visible in house.platform.messages)


def test_a_chat_that_takes_nothing_any_more_costs_a_dead_letter_and_nobody_else() -> None:
    house = House(says("fine"))
    house.platform.trouble["open"] = [DeliveryRefusedError("channel_not_found")] * 2
    one_life(house, "hello", "again")
    assert house.outcomes == ["delivery_failed", "answered"]
    assert house.platform.shown == ["fine"]
    (letter,) = virtual_time.run(house.store.turns.dead_letters())
    assert letter.messages == (message("hello"),)


@pytest.mark.parametrize("operation", ["admit", "complete", "claim"])
def test_a_claim_whose_answer_is_late_runs_once(operation: str) -> None:
    """A renewal may name the claim before the operation that granted it has been answered."""
    house = House(says("fine"), max_replies=1)
    granted = getattr(house.store.turns, operation)

    async def answered_late(*given: Any, **how: Any) -> Any:
        answer = await granted(*given, **how)
        await asyncio.sleep(11.0)
        return answer

    setattr(house.store.turns, operation, answered_late)

    async def story() -> None:
        async with house.running():
            async with asyncio.TaskGroup() as people:
                for number in range(3):
                    people.create_task(house.say(message(f"message {number}", chat=f"C{number}")))
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == ["fine"] * 3
    assert len(house.model.asked) == 3


def dies_after(seconds: float, house: House) -> Callable[[], Coroutine[Any, Any, None]]:
    """A first process that dies so long after the message, and a second that finishes."""

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.say(message("next"))
            await asyncio.sleep(seconds)
        async with house.running():
            await house.quiet()

    return story


@pytest.mark.parametrize("opens_early", [False, True])
@pytest.mark.parametrize("seconds", [0.01, 0.5, 1.5, 3.05, 4.1, 7.7])
def test_a_reply_whose_process_died_is_finished_in_the_same_message(
    seconds: float, opens_early: bool
) -> None:
    house = House(says(1.0, "Once", 2.0, " upon", 2.0, " a time"), FakePlatform(opens_early=opens_early))
    virtual_time.run(dies_after(seconds, house)())
    assert house.platform.shown == ["Once upon a time"] * 2
    assert [event.turn_id for event in house.store.turns.happened if event.kind == "turn.completed"] == [
        message("hello").turn_id,
        message("next").turn_id,
    ]


def test_a_post_under_way_at_the_crash_is_waited_out_and_found() -> None:
    house = House(says("Once", 1.0, " upon a time"))
    house.platform.seconds_per_call = 0.5
    posted = house.platform.open

    async def dies_before_the_ref_is_stored(part: Any, text: str) -> Any:
        house.platform.open = posted  # type: ignore[method-assign]  # only the first post

        async def forgotten(_ref: str) -> None:
            await asyncio.Event().wait()

        return await posted(type(part)(part.to, part.id, part.attempt, forgotten), text)

    house.platform.open = dies_before_the_ref_is_stored  # type: ignore[method-assign]
    virtual_time.run(dies_after(1.0, house)())
    assert house.platform.shown == ["Once upon a time"] * 2
    when, _ = house.platform.lookups[0]
    assert when > 0.99 + house.platform.fate_known_after


def test_a_final_text_that_was_stored_is_only_sent_again() -> None:
    house = House(says("the answer"))
    house.platform.trouble["close"] = [DeliveryDelayedError("503", 20.0)]
    virtual_time.run(dies_after(5.0, house)())
    assert house.platform.shown == ["the answer"] * 2
    assert len(house.model.asked) == 2, "once for each message"


def test_a_shorter_second_answer_takes_the_surplus_messages_away() -> None:
    house = House(in_turn(says(*WORDS, 100.0), says("short")), FakePlatform(limit=50))
    virtual_time.run(dies_after(30.0, house)())
    assert house.platform.shown == ["short", "short"]


def test_a_turn_that_kills_its_process_four_times_is_given_up_with_a_notice() -> None:
    house = House(in_turn(*[says("half", 100.0)] * 4, says("fine")))

    async def story() -> None:
        for _ in range(4):
            async with house.running():
                await house.say(message("hello"))
                await house.say(message("next"))
                await asyncio.sleep(15.0)
        async with house.running():
            await house.quiet()

    virtual_time.run(story())
    assert house.outcomes == ["executor_crash", "answered"]
    assert house.platform.shown == [told(Reason.EXECUTOR_CRASH), "fine"]
    assert len(house.model.asked) == 5


def test_draining_lets_replies_end_and_puts_back_what_does_not() -> None:
    house = House(in_turn(says("short", 5.0, "."), says("long", 1000.0), says("long", 1.0, "er")))

    async def story() -> None:
        async with house.running():
            await house.say(message("one", chat="C1"))
            await asyncio.sleep(0.5)
            await house.say(message("two", chat="C2"))
            await asyncio.sleep(0.5)
            drained = asyncio.create_task(house.directory.drain(20.0))
            await asyncio.sleep(1.0)
            assert not house.directory.accepting
            assert await house.say(message("late", chat="C3")) == "accepted"
            await drained
            assert house.platform.shown == ["short.", "long"]
        async with house.running():
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == ["short.", "longer", "longer"]
    crashes = [event for event in house.store.turns.happened if event.kind == "turn.taken_over"]
    assert crashes == []


def test_a_reply_much_longer_than_a_lease_keeps_its_claim() -> None:
    house = House(says("a", 55.0, "b", 55.0, "c"))

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == ["abc"]


def _steps(items: list[Any]) -> list[tuple[Any, Any]]:
    return list(pairwise(items))


def test_the_store_coming_back_is_waited_for_and_the_model_is_not_asked_again() -> None:
    house = House(says("the answer"))
    outage = _Outage(house)

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            outage.begin()
            await asyncio.sleep(30.0)
            outage.end()
            await house.quiet()

    virtual_time.run(story())
    assert house.platform.shown == ["the answer"]
    assert len(house.model.asked) == 1
    said = virtual_time.run(house.store.transcripts.recent(key(), 5))
    assert said[-1] == Entry("assistant", "the answer")


def test_a_process_cut_off_from_a_shared_store_falls_silent_before_its_lease_ends() -> None:
    house = House(says(*(item for word in WORDS for item in (word, 1.0))))
    house.store.exclusive = False
    outage = _Outage(house)

    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await asyncio.sleep(4.5)
            outage.begin()
            await asyncio.sleep(40.0)
            outage.end()
            await house.quiet()

    virtual_time.run(story())
    (visible,) = house.platform.messages
    assert visible.text == ANSWER
    assert not [when for when, _ in visible.history if 4.0 + LEASE - 10.0 < when < 44.5]
    assert len(house.model.asked) == 1, "the model was listened to all the while"


class _Outage:
    """Makes the store's writing operations unavailable for a while."""

    def __init__(self, house: House) -> None:
        self._turns = house.store.turns
        self._real = {
            name: getattr(self._turns, name) for name in ("checkpoint", "complete", "renew", "tick")
        }

    def begin(self) -> None:
        async def away(*_: object, **__: object) -> None:
            raise StoreUnavailableError("away")

        for name in self._real:
            setattr(self._turns, name, away)

    def end(self) -> None:
        for name, operation in self._real.items():
            setattr(self._turns, name, operation)
