"""What a service does on its way to an answer: shown while it happens, and nothing else changes."""

from __future__ import annotations

from conversation.bot import Timeouts
from conversation.providers.port import ProviderError
from conversation.steps import MOST, TITLE_LENGTH, Step, Steps, at_work
from conversation.texts import notice
from conversation.turn import Reason
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, says
from tests.conversation.house import House
from tests.conversation.made_up import message

LOOK = Step("1", "Look", "running")
LOOKED = Step("1", "Look", "done")
READ = Step("2", "Read", "running")


def one_life(house: House) -> None:
    async def story() -> None:
        async with house.running():
            await house.say(message("hello"))
            await house.quiet()

    virtual_time.run(story())


def test_a_step_opens_the_message_before_there_is_any_text_and_is_over_at_the_end() -> None:
    house = House(says(LOOK, 20.0, LOOKED, READ, 5.0, "It is", 3.0, " so."))
    one_life(house)
    (visible,) = house.platform.messages
    assert visible.history[0][1] == ""
    assert visible.history[1][0] - visible.history[0][0] > 20
    assert visible.text == "It is so."
    assert visible.steps == [LOOKED, Step("2", "Read", "done")]
    assert house.outcomes == ["answered"]


def test_a_step_may_take_longer_than_a_piece_of_text_and_no_longer_than_the_reply() -> None:
    slow = says(LOOK, 200.0, LOOKED, "fine")
    house = House(slow, timeouts=Timeouts(first_token=10, idle=10, reply=300))
    one_life(house)
    assert house.outcomes == ["answered"]
    house = House(slow, timeouts=Timeouts(first_token=10, idle=10, reply=100))
    one_life(house)
    assert house.outcomes == [Reason.MODEL_TIMEOUT]


def test_a_step_that_is_one_too_many_to_be_shown_has_its_time_all_the_same() -> None:
    shown = [Step(str(number), "Look", "done") for number in range(MOST)]
    last = Step("last", "Look", "running")
    house = House(says(*shown, last, 200.0, "fine"), timeouts=Timeouts(first_token=10, idle=10))
    one_life(house)
    assert house.outcomes == ["answered"]
    assert len(house.platform.messages[0].steps) == MOST


def test_once_a_step_is_over_silence_is_silence_again() -> None:
    house = House(says(LOOK, 200.0, LOOKED, 20.0, "late"), timeouts=Timeouts(first_token=10, idle=10))
    one_life(house)
    assert house.outcomes == [Reason.MODEL_TIMEOUT]
    assert house.platform.messages[0].history[-1][0] < 215


def test_a_service_that_began_to_work_is_not_asked_again_and_what_ran_has_failed() -> None:
    house = House(says(LOOK, 1.0, ProviderError(Reason.MODEL_ERROR, "busy", retry_after=0.0)))
    one_life(house)
    assert len(house.model.asked) == 1
    (visible,) = house.platform.messages
    assert visible.text == notice(Reason.MODEL_ERROR, "en", message("hello").turn_id[:8])
    assert visible.steps == [Step("1", "Look", "failed")]


def test_a_message_that_is_full_ends_its_steps_and_the_next_one_tells_of_what_still_runs() -> None:
    house = House(
        says(LOOK, LOOKED, READ, 2.0, "a" * 30, 2.0, "b" * 30, 2.0, Step("2", "Read", "done"), "c"),
        FakePlatform(limit=50),
    )
    one_life(house)
    first, second = house.platform.messages
    assert first.steps == [LOOKED, Step("2", "Read", "done")]
    assert second.steps == [Step("2", "Read", "done")]


def test_a_bot_that_does_not_stream_says_nothing_of_steps_before_the_end() -> None:
    platform = FakePlatform()
    platform.streams = False
    house = House(says(LOOK, 5.0, LOOKED, "fine"), platform)
    one_life(house)
    (visible,) = house.platform.messages
    assert [text for _, text in visible.history] == ["fine"]


def test_of_a_service_that_never_stops_only_so_many_steps_are_shown_in_one_line_each() -> None:
    steps = Steps()
    for number in range(MOST + 5):
        steps.take(Step(str(number), "a\n<!channel>" + "b" * 100, "running"))
    assert len(steps.all) == MOST
    assert steps.all[0].title.startswith("a ‹!channel›b")
    assert len(steps.all[0].title) == TITLE_LENGTH
    assert at_work(steps.all) == f"{steps.all[-1].title}…"
    assert at_work(()) == ""
