"""Whatever the platform, the pace of the model and the moments of death: one complete answer, in order."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.outbound import DeliveryDelayedError, DeliveryError, DeliveryUnknownError
from tests import virtual_time
from tests.conversation.fake_platform import FakePlatform, says
from tests.conversation.house import House
from tests.conversation.made_up import message

SECONDS = st.sampled_from((0.0, 0.05, 0.3, 1.1, 4.0))
PIECES = st.lists(st.tuples(st.text("ab c\n", min_size=1, max_size=30), SECONDS), min_size=1, max_size=12)


def before(kind: str) -> DeliveryError | None:
    return {"delayed": DeliveryDelayedError("429", 2.0), "long": DeliveryDelayedError("429", 45.0)}.get(kind)


TROUBLE = st.dictionaries(
    st.sampled_from(("open", "show", "close", "resume", "remove")),
    st.lists(st.sampled_from(("delayed", "long")), max_size=3),
    max_size=3,
)
LOST_ANSWERS = st.lists(st.booleans(), max_size=2)


@settings(max_examples=300)
@given(
    pieces=PIECES,
    opens_early=st.booleans(),
    limit=st.sampled_from((7, 40, 1000)),
    seconds_per_call=st.sampled_from((0.0, 0.2, 1.3)),
    trouble=TROUBLE,
    lost=LOST_ANSWERS,
    deaths=st.lists(st.floats(0.0, 20.0), max_size=3),
)
def test_each_message_gets_one_complete_answer_in_order(
    pieces: list[tuple[str, float]],
    opens_early: bool,
    limit: int,
    seconds_per_call: float,
    trouble: dict[str, list[str]],
    lost: list[bool],
    deaths: list[float],
) -> None:
    """``lost``: sends whose answer was lost, having arrived (True) or not. ``deaths``: seconds of each life."""
    platform = FakePlatform(opens_early=opens_early, limit=limit)
    platform.seconds_per_call = seconds_per_call
    for call, kinds in trouble.items():
        platform.trouble[call] = [error for kind in kinds if (error := before(kind))]
    for arrived in lost:
        where = platform.trouble_after if arrived else platform.trouble
        where.setdefault("open", []).append(DeliveryUnknownError("timed out"))
    answer = "x" + "".join(text for text, _ in pieces)
    house = House(says("x", *(item for piece in pieces for item in piece)), platform)

    async def story() -> None:
        for life, seconds in enumerate((*deaths, None)):
            async with house.running():
                if life == 0:
                    await house.say(message("one"))
                    await house.say(message("two"))
                if seconds is None:
                    await house.quiet()
                else:
                    await asyncio.sleep(seconds)

    virtual_time.run(story())
    assert house.outcomes == ["answered", "answered"]
    assert not any(visible.growing for visible in platform.messages)
    shown = [visible.text for visible in platform.messages]
    half = len(shown) // 2
    assert ["".join(shown[:half]), "".join(shown[half:])] == [answer, answer]
