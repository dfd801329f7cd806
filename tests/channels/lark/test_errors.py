"""Each row of the platform's error tables: what the person sees, and what the gateway does about it.

Where a code comes up that the stand-in would not give by itself, it is made to.
"""

from __future__ import annotations

import pytest

from conversation.controls import Controls
from conversation.keys import ConversationKey
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError, DeliveryStoppedError
from tests.channels.lark.test_outbound import (
    CONTENT,
    CREATE_CARD,
    REPLY,
    SETTINGS,
    TOKEN,
    Desk,
    Desks,
    desk,
    desks,
)

__all__ = ["desk", "desks"]

KEY = ConversationKey("lark", "helpdesk", "demo-tenant", "oc_1")
DELETE = "im.v1.message.delete"
REPLACE = "cardkit.v1.card.update"


async def answer(desk: Desk, text: str = "the whole answer", attempt: int = 1) -> None:
    await (await desk.outbound.open(desk.part(attempt), "")).close(text)


def seen(desk: Desk) -> list[str]:
    return [shown.text for shown in desk.answers() if not shown.deleted]


# Rate limits: nobody sees them; the platform's wish is obeyed.


@pytest.mark.parametrize("code", [99991400, 11232, 11233, 11247, 230020])
@pytest.mark.parametrize("method", [CREATE_CARD, REPLY])
async def test_a_rate_limit_is_waited_out_and_not_seen(desk: Desk, method: str, code: int) -> None:
    desk.platform.fail_next(method, error=code, retry_after=1)
    with pytest.raises(DeliveryDelayedError) as delayed:
        await answer(desk)
    assert delayed.value.delay == 1
    await answer(desk)
    assert seen(desk) == ["the whole answer"]


async def test_a_limit_of_partial_texts_costs_no_word(desk: Desk) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(CONTENT, error=99991400, retry_after=1)
    with pytest.raises(DeliveryDelayedError):
        await live.show("the whole")
    await live.close("the whole answer")
    assert seen(desk) == ["the whole answer"]


# Tokens: nobody sees it where a new one helps.


@pytest.mark.parametrize("code", [99991663, 99991664, 99991668])
@pytest.mark.parametrize("method", [CREATE_CARD, REPLY, CONTENT, SETTINGS])
async def test_an_invalid_token_is_dropped_and_the_call_made_once_more(
    desk: Desk, method: str, code: int
) -> None:
    await answer(desk, "before")
    asked = desk.platform.calls[TOKEN]
    desk.platform.fail_next(method, error=code)
    await (await desk.outbound.open(desk.part(number=1), "")).close("the whole answer")
    assert seen(desk) == ["before", "the whole answer"]
    assert desk.platform.calls[TOKEN] == asked + 1


@pytest.mark.parametrize("code", [99991663, 99991664, 99991668])
async def test_a_token_that_stays_invalid_is_not_asked_for_again_and_again(desk: Desk, code: int) -> None:
    desk.platform.fail_next(CREATE_CARD, error=code, times=2)
    with pytest.raises(DeliveryRefusedError, match=str(code)):
        await answer(desk)
    assert desk.platform.calls[CREATE_CARD] == 2


@pytest.mark.parametrize("code", [99991661, 99991671, 99991401])
async def test_an_app_that_may_not_call_shows_nothing_and_is_told_by_the_code(desk: Desk, code: int) -> None:
    desk.platform.fail_next(CREATE_CARD, error=code)
    with pytest.raises(DeliveryRefusedError, match=str(code)):
        await answer(desk)
    assert seen(desk) == []


async def test_without_the_card_scope_the_answer_comes_as_text(desk: Desk) -> None:
    desk.platform.fail_next(CREATE_CARD, error=99991672)
    await answer(desk)
    assert seen(desk) == ["the whole answer"]


async def test_without_the_sending_scope_nothing_is_seen(desk: Desk) -> None:
    desk.platform.fail_next(REPLY, error=99991672, times=2)
    with pytest.raises(DeliveryRefusedError, match="a scope is missing"):
        await answer(desk)
    assert seen(desk) == []


# Permanent: the person cannot be reached, so the operator is told.


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (230001, "refused"),
        (230034, "refused"),
        (230002, "the bot is not in the chat"),
        (230006, "the app's bot ability is off"),
        (230013, "the person is outside the app's availability"),
        (230035, "refused"),
        (230053, "the person has muted the bot"),
        (232009, "the chat was dissolved"),
        (230022, "refused"),
        (230028, "refused"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_refused_for_good_is_not_tried_again(
    desks: Desks, stream: bool, code: int, why: str
) -> None:
    desk = await desks.open(stream=stream)
    desk.platform.fail_next(REPLY, error=code)
    with pytest.raises(DeliveryRefusedError, match=rf"{why} \(code {code}\)"):
        await answer(desk)
    assert seen(desk) == []
    assert desk.platform.calls[REPLY] == 1


@pytest.mark.parametrize("code", [230011, 230110])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_question_that_was_recalled_or_deleted_is_answered_no_more(
    desks: Desks, stream: bool, code: int
) -> None:
    desk = await desks.open(stream=stream)
    desk.platform.fail_next(REPLY, error=code)
    with pytest.raises(DeliveryStoppedError, match=str(code)):
        await answer(desk)
    assert seen(desk) == []
    assert desk.platform.calls[REPLY] == 1


async def test_a_message_still_being_sent_is_asked_for_with_the_same_id(desk: Desk) -> None:
    desk.platform.fail_next(REPLY, error=230049)
    with pytest.raises(DeliveryDelayedError):
        await answer(desk)
    await answer(desk)
    assert seen(desk) == ["the whole answer"]


@pytest.mark.parametrize("code", [230071, 230072])
@pytest.mark.parametrize("stream", [True, False])
async def test_where_there_can_be_no_thread_the_answer_is_an_ordinary_reply(
    desks: Desks, stream: bool, code: int
) -> None:
    desk = await desks.open(stream=stream, thread="omt_1")
    desk.platform.fail_next(REPLY, error=code)
    await answer(desk)
    assert seen(desk) == ["the whole answer"]
    assert desk.answer().reply_to == desk.to.message


# Edits of a plain message that an earlier attempt sent.


@pytest.mark.parametrize("code", [230072, 230075])
async def test_a_text_that_can_be_edited_no_more_stays_as_it_is(desks: Desks, code: int) -> None:
    desk = await desks.open(stream=False)
    await answer(desk, "first")
    again = desks.take_over(desk)
    desk.platform.fail_next("im.v1.message.update", error=code)
    await (await again.outbound.resume(again.part(2), again.ref)).close("second")
    assert seen(desk) == ["first"]


# Taking a surplus message away.


@pytest.mark.parametrize("code", [230011, 230110, 231003])
async def test_what_is_gone_already_need_not_be_taken_away(desk: Desk, code: int) -> None:
    await answer(desk)
    desk.platform.fail_next(DELETE, error=code)
    await desk.outbound.remove(desk.part(), desk.ref)


@pytest.mark.parametrize("code", [230009, 230035])
async def test_what_may_not_be_recalled_is_told(desk: Desk, code: int) -> None:
    await answer(desk)
    desk.platform.fail_next(DELETE, error=code)
    with pytest.raises(DeliveryRefusedError, match=str(code)):
        await desk.outbound.remove(desk.part(), desk.ref)


# CardKit.


@pytest.mark.parametrize("code", [10002, 200860, 230025, 230099, 300301, 300302, 300303, 300305])
async def test_what_cannot_be_a_card_comes_as_text(desk: Desk, code: int) -> None:
    desk.platform.fail_next(CREATE_CARD, error=code)
    await answer(desk)
    assert seen(desk) == ["the whole answer"]


@pytest.mark.parametrize("code", [200850, 300309])
async def test_a_stream_that_was_closed_is_opened_again(desk: Desk, code: int) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(CONTENT, error=code)
    await live.show("the whole")
    assert seen(desk) == ["the whole"]
    await live.close("the whole answer")
    assert (seen(desk), desk.answer().streaming) == (["the whole answer"], False)


@pytest.mark.parametrize("code", [200850, 300309])
async def test_a_stream_that_cannot_be_opened_again_ends_with_the_whole_answer(desk: Desk, code: int) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(CONTENT, error=code, times=2)
    await live.close("the whole answer")
    assert (seen(desk), desk.answer().streaming) == (["the whole answer"], False)
    assert desk.platform.calls[CONTENT] == 2, "no storm of retries"


@pytest.mark.parametrize("code", [200770, 300317])
async def test_an_attempt_that_was_overtaken_steps_back(desk: Desk, code: int) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(CONTENT, error=code)
    with pytest.raises(DeliveryDelayedError, match=str(code)):
        await live.show("late")
    assert seen(desk) == ["…"]


@pytest.mark.parametrize("code", [200810, 300120])
@pytest.mark.parametrize("method", [CONTENT, SETTINGS])
async def test_a_card_that_is_busy_is_written_a_moment_later(desk: Desk, method: str, code: int) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(method, error=code)
    with pytest.raises(DeliveryDelayedError):
        await live.close("the whole answer")
    await live.close("the whole answer")
    assert (seen(desk), desk.answer().streaming) == (["the whole answer"], False)


@pytest.mark.parametrize("code", [200740, 200750])
async def test_a_card_that_is_no_more_is_replaced_by_a_text(desks: Desks, desk: Desk, code: int) -> None:
    await (await desk.outbound.open(desk.part(), "")).show("half an")
    again = desks.take_over(desk)
    desk.platform.fail_next(SETTINGS, error=code)
    await (await again.outbound.resume(again.part(2), again.ref)).close("the whole answer")
    assert seen(desk) == ["the whole answer"]


@pytest.mark.parametrize("code", [300311, 10002])
async def test_a_card_of_somebody_else_is_our_fault_and_told(desks: Desks, desk: Desk, code: int) -> None:
    await answer(desk)
    again = desks.take_over(desk)
    desk.platform.fail_next(SETTINGS, error=code)
    with pytest.raises(DeliveryRefusedError, match=str(code)):
        await again.outbound.resume(again.part(2), again.ref)


@pytest.mark.parametrize("code", [200860, 300305, 230099])
async def test_a_card_without_room_for_buttons_ends_without_them(desk: Desk, code: int) -> None:
    live = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(REPLACE, error=code)
    await live.close("the whole answer", Controls("0" * 8, "0" * 8, KEY, "en", feedback=True))
    assert (seen(desk), desk.answer().streaming) == (["the whole answer"], False)
