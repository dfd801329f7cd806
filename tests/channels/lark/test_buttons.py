"""Buttons of a card on the stand-in platform: drawn, pressed, brought back."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.received import Pressed, Received, StopReply, WebhookRequest
from conversation.controls import Controls
from conversation.keys import ConversationKey
from conversation.messages import Locale, person_id
from conversation.outbound import PartRequest
from conversation.texts import hint
from conversation.texts.hints import Hint
from conversation.turn import part_id
from gateway.demo.lark_doings import buttons, press
from tests.channels.lark.conftest import MakeChannel
from tests.channels.lark.test_outbound import CHAT, Desk, Desks, desks

__all__ = ["desks"]

REPLACE = "cardkit.v1.card.update"
KEY = ConversationKey("lark", "helpdesk", "demo-tenant", CHAT)


def controls(
    *, retry: bool = False, feedback: bool = False, note: str = "", locale: Locale = "en"
) -> Controls:
    person = person_id("lark", "helpdesk", "ou_alice")
    return Controls("0123456789abcdef", person, KEY, locale, retry, feedback, note)


def part(desk: Desk, attempt: int = 1) -> PartRequest:
    async def save(ref: str) -> None:
        desk.saved.append(ref)

    return PartRequest(desk.to, part_id("turn", 0), attempt, save, controls())


def under(desk: Desk) -> dict[str, str]:
    return buttons(desk.platform, desk.answer().ts)


async def test_an_answer_that_grows_can_be_stopped_and_one_that_has_ended_be_judged(desks: Desks) -> None:
    desk = await desks.open()
    live = await desk.outbound.open(part(desk), "")
    await live.show("It grows")
    assert under(desk) == {"stop": "Stop"}
    await live.close("It grows. It ends.", controls(feedback=True))
    assert under(desk) == {"good": "👍", "bad": "👎"}
    assert (desk.answer().text, desk.answer().streaming) == ("It grows. It ends.", False)


async def test_nothing_stands_under_an_answer_that_nobody_may_judge(desks: Desks) -> None:
    desk = await desks.open()
    await (await desk.outbound.open(part(desk), "")).close("Done.")
    assert under(desk) == {}
    assert not desk.answer().streaming


async def test_a_failed_answer_can_be_asked_for_again_and_then_says_so_in_the_button_s_place(
    desks: Desks,
) -> None:
    desk = await desks.open()
    await (await desk.outbound.open(part(desk), "")).close("It failed.", controls(retry=True))
    assert under(desk) == {"retry": "↻ Try again"}
    again = await desk.outbound.resume(part(desk, attempt=2), desk.ref)
    await again.close("It failed.", controls(note="↻ Asked again."))
    assert under(desk) == {}
    assert desk.answer().text == "It failed.\n↻ Asked again."


async def test_an_answer_without_room_for_buttons_is_whole_without_them(desks: Desks) -> None:
    desk = await desks.open()
    live = await desk.outbound.open(part(desk), "")
    desk.platform.fail_next(REPLACE, error=200860)
    await live.close("All of it.", controls(feedback=True))
    assert (desk.answer().text, desk.answer().streaming) == ("All of it.", False)


async def test_the_longest_part_has_room_for_all_buttons(desks: Desks) -> None:
    desk = await desks.open()
    text = "x" * 200_000
    head = desk.outbound.cut(text)
    assert head is not None
    live = await desk.outbound.open(part(desk), "")
    await live.close(head[0], controls(retry=True, feedback=True, note="n" * 40))
    assert set(under(desk)) == {"retry", "good", "bad"}


async def test_a_card_whose_stream_ran_out_ends_with_its_buttons(desks: Desks) -> None:
    desk = await desks.open()
    live = await desk.outbound.open(part(desk), "")
    desk.platform.fail_next("cardkit.v1.card_element.content", error=300309, times=2)
    await live.close("Late.", controls(feedback=True))
    assert (desk.answer().text, set(under(desk))) == ("Late.", {"good", "bad"})


async def test_a_plain_message_has_no_buttons(desks: Desks) -> None:
    desk = await desks.open(stream=False)
    await (await desk.outbound.open(part(desk), "")).close("Plain.", controls(feedback=True))
    assert under(desk) == {}


@pytest.mark.parametrize("locale", ["en", "zh"])
async def test_what_is_pressed_comes_back_with_all_that_it_needs(desks: Desks, locale: Locale) -> None:
    desk = await desks.open()
    live = await desk.outbound.open(part(desk), "")
    await live.close("Well?", controls(retry=True, feedback=True, locale=locale))
    heard: list[Received] = []

    async def webhook(request: web.Request) -> web.Response:
        received = desk.channel.receive(
            WebhookRequest(request.headers, await request.read(), desk.platform.clock())
        )
        heard.append(received)
        return web.Response(body=desk.channel.toast(hint(Hint.THANKS, locale)))

    app = web.Application()
    app.router.add_post("/", webhook)
    async with TestServer(app) as server:
        for kind in ("retry", "good", "bad"):
            toast = await press(
                desk.platform, str(server.make_url("/")), desk.answer().ts, kind, user="ou_alice"
            )
            assert toast == hint(Hint.THANKS, locale)
    clicks = [one for one in heard if isinstance(one, Pressed)]
    assert [one.button.kind for one in clicks] == ["retry", "good", "bad"]
    assert {one.button.key for one in clicks} == {KEY}
    assert {one.locale for one in clicks} == {locale}
    assert {(one.place.chat, one.place.message) for one in clicks} == {(CHAT, desk.answer().ts)}
    assert len({one.request for one in clicks}) == 3


async def test_the_stop_button_is_a_wish_to_stop_this_conversation(
    desks: Desks, make_channel: MakeChannel
) -> None:
    desk = await desks.open()
    await desk.outbound.open(part(desk), "")
    heard: list[Received] = []

    async def webhook(request: web.Request) -> web.Response:
        received = desk.channel.receive(
            WebhookRequest(request.headers, await request.read(), desk.platform.clock())
        )
        heard.append(received)
        return web.Response(body=received.done if isinstance(received, StopReply) else b"")

    app = web.Application()
    app.router.add_post("/", webhook)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        toast = await press(desk.platform, url, desk.answer().ts, "stop", user="ou_alice")
    assert toast == hint(Hint.STOPPED, "en")
    (wish,) = heard
    assert isinstance(wish, StopReply)
    assert (wish.key, wish.by.id) == (KEY, "ou_alice")
