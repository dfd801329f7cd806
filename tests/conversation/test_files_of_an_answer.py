"""Files that an answer brings: shown after it, once, whatever goes wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

import pytest

from conversation.enclosures import FILE_BYTES, MOST_FILES
from conversation.messages import Address
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRefusedError,
    DeliveryUnknownError,
)
from conversation.providers.port import File, Prompt
from tests import virtual_time
from tests.conversation.fake_platform import Script
from tests.conversation.house import House
from tests.conversation.made_up import message

PLOT = File("plot.png", "image/png", b"png")


@dataclass
class FakeEnclosures:
    """A platform that takes files. ``trouble`` is met before, ``trouble_after`` after a share takes effect."""

    uploaded: list[File] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    asked_again: list[bool] = field(default_factory=list)
    refuses: DeliveryError | None = None
    trouble: list[DeliveryError] = field(default_factory=list)
    trouble_after: list[DeliveryError] = field(default_factory=list)

    async def upload(self, to: Address, file: File) -> str:
        if self.refuses is not None:
            raise self.refuses
        self.uploaded.append(file)
        return f"F{len(self.uploaded)}"

    async def share(self, to: Address, ref: str, id: str, *, again: bool) -> None:
        self.asked_again.append(again)
        if self.trouble:
            raise self.trouble.pop(0)
        assert again or id not in self.shown, "shown twice"
        self.shown[id] = ref
        if self.trouble_after:
            raise self.trouble_after.pop(0)


def brings(*files: File, text: str = "see") -> Script:
    async def script(prompt: Prompt) -> AsyncGenerator[str, None]:
        assert prompt.attach is not None
        for file in files:
            prompt.attach(file)
        if text:
            yield text

    return script


def house_of(script: Script, enclosures: FakeEnclosures) -> House:
    house = House(script)
    house.bots["helpdesk"] = house.bot = replace(house.bot, enclosures=enclosures)
    return house


def ask(house: House) -> None:
    async def story() -> None:
        async with house.running():
            await house.say(message("draw"))
            await house.quiet()

    virtual_time.run(story())


def test_files_are_shown_after_the_text() -> None:
    enclosures = FakeEnclosures()
    house = house_of(brings(PLOT, PLOT), enclosures)
    ask(house)
    assert house.platform.shown == ["see"]
    assert list(enclosures.shown.values()) == ["F1", "F2"]
    assert house.outcomes == ["answered"]


def test_an_answer_may_be_nothing_but_a_file() -> None:
    enclosures = FakeEnclosures()
    house = house_of(brings(PLOT, text=""), enclosures)
    ask(house)
    assert house.platform.shown == ["📎 `plot.png`"]
    assert house.outcomes == ["answered"]


@pytest.mark.parametrize(
    "trouble",
    [
        DeliveryDelayedError("busy", 1.0),
        DeliveryUnknownError("no answer"),
        DeliveryDelayedError("busy", 60.0),
    ],
)
def test_a_file_that_cannot_be_shown_now_is_shown_later_and_the_model_asked_once(
    trouble: DeliveryError,
) -> None:
    enclosures = FakeEnclosures(trouble=[trouble])
    house = house_of(brings(PLOT), enclosures)
    ask(house)
    assert list(enclosures.shown.values()) == ["F1"]
    assert len(house.model.asked) == 1
    assert len(enclosures.uploaded) == 1
    assert house.platform.shown == ["see"]


def test_what_may_have_been_shown_is_looked_for_before_it_is_repeated() -> None:
    enclosures = FakeEnclosures(trouble_after=[DeliveryUnknownError("no answer")])
    ask(house_of(brings(PLOT), enclosures))
    assert enclosures.asked_again == [False, True]


def test_a_process_that_died_after_the_text_was_stored_is_followed_by_one_that_shows_the_files() -> None:
    enclosures = FakeEnclosures(trouble=[DeliveryDelayedError("busy", 20.0)])
    house = house_of(brings(PLOT), enclosures)

    async def story() -> None:
        async with house.running():
            await house.say(message("draw"))
            while not enclosures.asked_again:
                await virtual_time_passes()
        async with house.running():
            await house.quiet()

    virtual_time.run(story())
    assert list(enclosures.shown.values()) == ["F1"]
    assert enclosures.asked_again == [False, True]
    assert len(house.model.asked) == 1


async def virtual_time_passes() -> None:
    import asyncio  # noqa: PLC0415 - used here alone

    await asyncio.sleep(0.1)


@pytest.mark.parametrize("refuses", [DeliveryRefusedError("no"), DeliveryDelayedError("away", 1.0)])
def test_a_file_that_cannot_be_uploaded_costs_a_line_and_not_the_answer(refuses: DeliveryError) -> None:
    house = house_of(brings(PLOT), FakeEnclosures(refuses=refuses))
    ask(house)
    assert house.platform.shown == ["see\n\n📎 I couldn't send plot.png."]
    assert house.outcomes == ["answered"]


def test_a_share_that_is_refused_for_good_leaves_the_answer() -> None:
    house = house_of(brings(PLOT), FakeEnclosures(trouble=[DeliveryRefusedError("no")]))
    ask(house)
    assert house.platform.shown == ["see"]
    assert house.outcomes == ["answered"]


def test_of_many_and_of_large_files_some_are_left_out_by_name() -> None:
    enclosures = FakeEnclosures()
    large = File("large.bin", "", b"x" * (FILE_BYTES + 1))
    house = house_of(brings(large, *[PLOT] * (MOST_FILES + 1)), enclosures)
    ask(house)
    assert len(enclosures.shown) == MOST_FILES
    assert house.platform.shown == ["see\n\n📎 I couldn't send large.bin, plot.png."]
