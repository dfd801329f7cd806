"""Whatever the platform, the pace of the model and the moments of death: one complete answer, in order."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from conversation.outbound import DeliveryDelayedError, DeliveryError, DeliveryUnknownError
from conversation.providers.port import ProviderError
from conversation.texts import notice
from conversation.turn import Reason
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


@settings(max_examples=500)
@given(
    pieces=PIECES,
    opens_early=st.booleans(),
    limit=st.sampled_from((7, 40, 1000)),
    seconds_per_call=st.sampled_from((0.0, 0.2, 1.3)),
    trouble=TROUBLE,
    lost=LOST_ANSWERS,
    seconds_to_answer=st.sampled_from((0.0, 0.4, 2.0)),
    model_fails=st.booleans(),
    deaths=st.lists(st.tuples(st.floats(0.0, 20.0), st.booleans()), max_size=3),
)
def test_each_message_gets_one_complete_answer_in_order(
    pieces: list[tuple[str, float]],
    opens_early: bool,
    limit: int,
    seconds_per_call: float,
    trouble: dict[str, list[str]],
    lost: list[bool],
    seconds_to_answer: float,
    model_fails: bool,
    deaths: list[tuple[float, bool]],
) -> None:
    """``lost``: sends whose answer was lost, having arrived (True) or not. ``deaths``: seconds of each life, and
    whether it ends in a hurried drain instead of a crash.
    """
    platform = FakePlatform(opens_early=opens_early, limit=limit)
    platform.seconds_per_call = seconds_per_call
    platform.seconds_to_answer = seconds_to_answer
    for call, kinds in trouble.items():
        platform.trouble[call] = [error for kind in kinds if (error := before(kind))]
    for arrived in lost:
        where = platform.trouble_after if arrived else platform.trouble
        where.setdefault("open", []).append(DeliveryUnknownError("timed out"))
    answer = "x" + "".join(text for text, _ in pieces)
    end = (ProviderError(Reason.MODEL_ERROR, "cut off"),) if model_fails else ()
    house = House(says("x", *(item for piece in pieces for item in piece), *end), platform)

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
    assert not any(visible.growing for visible in platform.messages)
    shown = [visible.text for visible in platform.messages]
    assert model_fails or len(shown) == 2 * _parts(platform, answer)
    told = [answer + (_apology(said) if model_fails else "") for said in ("one", "two")]
    assert "".join("".join(shown).split()) == "".join("".join(told).split()), "each letter once, in order"


def _apology(said: str) -> str:
    return notice(Reason.MODEL_ERROR, "en", message(said).turn_id[:8])


def _parts(platform: FakePlatform, text: str) -> int:
    halves = platform.cut(text)
    return 1 if halves is None else 1 + _parts(platform, halves[1])
