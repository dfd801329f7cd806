"""Answers on the stand-in platform, which keeps Lark's rules and complains where a correct client would not err."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.lark import LarkChannel, LarkCredentials
from channels.lark import api as api_module
from channels.lark import card as card_module
from channels.port import ChannelPolicy
from channels.received import Ignored, WebhookRequest
from conversation.messages import Address, InboundMessage
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError, Outbound, PartRequest
from conversation.turn import part_id
from gateway.demo.lark import LarkStandin
from gateway.demo.standin import Shown
from tests.channels.lark.conftest import UNREACHABLE, MakeChannel
from tests.channels.lark.signing import CREDENTIALS, encrypted, payload, signed

REPLY = "im.v1.message.reply"
CREATE_CARD = "cardkit.v1.card.create"
CONTENT = "cardkit.v1.card_element.content"
SETTINGS = "cardkit.v1.card.settings"
REPLACE = "cardkit.v1.card.update"
TOKEN = "auth.v3.tenant_access_token.internal"
CHAT = "oc_1"
TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n\n"


@dataclass
class Desk:
    """A chat in which somebody asked something, and one process that answers there."""

    platform: LarkStandin
    channel: LarkChannel
    to: Address
    saved: list[str] = field(default_factory=list)

    @property
    def outbound(self) -> Outbound:
        return self.channel.outbound

    @property
    def ref(self) -> str:
        return self.saved[-1]

    def part(self, attempt: int = 1, number: int = 0) -> PartRequest:
        async def save(ref: str) -> None:
            self.saved.append(ref)

        return PartRequest(self.to, part_id("turn", number), attempt, save)

    def answers(self) -> list[Shown]:
        return [shown for shown in self.platform.chat(CHAT) if shown.author == "bot"]

    def answer(self) -> Shown:
        (only,) = self.answers()
        return only


class Desks:
    """Processes that serve the same bot. The first is asked something in ``open``; others take over."""

    def __init__(self, platform: LarkStandin, make_channel: MakeChannel) -> None:
        self._platform = platform
        self._make = make_channel

    async def open(self, *, stream: bool = True, thread: str | None = None) -> Desk:
        channel = self._make(ChannelPolicy(stream=stream), api_base_url=self._platform.api_base_url)
        asked: list[InboundMessage] = []

        async def webhook(request: web.Request) -> web.Response:
            received = channel.receive(WebhookRequest(request.headers, await request.read(), time.time()))
            assert isinstance(received, InboundMessage)
            asked.append(received)
            return web.Response(headers={"X-Turnkeeper-Admission": "accepted"})

        app = web.Application()
        app.router.add_post("/", webhook)
        async with TestServer(app) as server:
            await self._platform.say(
                str(server.make_url("/")), chat=CHAT, user="ou_alice", text="?", thread_id=thread
            )
        return Desk(self._platform, channel, asked[0].address)

    def take_over(self, desk: Desk) -> Desk:
        policy = ChannelPolicy(stream=desk.channel.outbound.streams)
        channel = self._make(policy, api_base_url=self._platform.api_base_url)
        return Desk(self._platform, channel, desk.to, desk.saved)


@pytest.fixture
def desks(platform: LarkStandin, make_channel: MakeChannel) -> Desks:
    return Desks(platform, make_channel)


@pytest.fixture
async def desk(desks: Desks) -> Desk:
    return await desks.open()


# Streaming.


async def test_a_reply_grows_in_one_card_and_ends(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "")
    assert desk.answer().text == "…"
    assert desk.answer().streaming
    for text in ("Hello", "Hello there"):
        await part.pace()
        await part.show(text)
        assert desk.answer().text == text
    await part.close("Hello there, Alice.")
    assert desk.answer().text == "Hello there, Alice."
    assert not desk.answer().streaming
    assert desk.answer().reply_to == desk.to.message
    assert desk.platform.refusals == []


async def test_a_reply_stands_in_the_thread_of_its_question(desks: Desks) -> None:
    desk = await desks.open(thread="omt_1")
    await (await desk.outbound.open(desk.part(), "Hi")).close("Hi")
    assert desk.answer().thread == "omt_1"


async def test_a_reply_to_no_message_is_written_into_the_chat(desk: Desk) -> None:
    desk.to = Address(CHAT, "", "", "ou_alice", "demo-tenant")
    await (await desk.outbound.open(desk.part(), "Hi")).close("Hi")
    assert desk.answer().text == "Hi"
    assert desk.answer().reply_to is None


async def test_the_same_text_is_not_shown_twice(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "Hello")
    await part.show("Hello")
    await part.close("Hello")
    assert CONTENT not in desk.platform.calls


async def test_the_card_is_stored_before_it_is_sent(desk: Desk) -> None:
    desk.platform.fail_next(REPLY, status=503)
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(), "")
    assert desk.answers() == []
    assert "message" not in desk.ref
    assert "card" in desk.ref


async def test_partial_texts_keep_their_distance_and_the_last_one_does_not_wait(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "a")
    start = time.monotonic()
    await part.pace()
    assert time.monotonic() - start > 0.15
    await part.show("ab")
    start = time.monotonic()
    await part.close("abc")
    assert time.monotonic() - start < 0.15


async def test_a_pace_that_was_cancelled_costs_nothing(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "a")
    for _ in range(100):
        pacing = asyncio.create_task(part.pace())
        await asyncio.sleep(0)
        pacing.cancel()
        await asyncio.gather(pacing, return_exceptions=True)
    await part.pace()
    await part.show("ab")


async def test_what_would_break_a_card_is_made_harmless(desk: Desk) -> None:
    text = TABLE * 7 + "<at id=all></at>"
    part = await desk.outbound.open(desk.part(), text)
    await part.close(text + "!")
    assert "<at" not in desk.answer().text


async def test_a_full_part_fits_into_a_card(desk: Desk) -> None:
    halves = desk.outbound.cut('"quoted"\n' * 4000)
    assert halves is not None
    part = await desk.outbound.open(desk.part(), halves[0][:100])
    await part.close(halves[0])
    assert desk.answer().text == halves[0].rstrip()


# The ten minutes of a stream.


@pytest.fixture
def later(platform: LarkStandin) -> Callable[[float], None]:
    """Let the platform's time go on, not ours."""
    ahead = 0.0

    def go(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    platform.clock = lambda: time.time() + ahead
    return go


async def test_a_card_that_the_platform_closed_is_reopened(
    desk: Desk, later: Callable[[float], None]
) -> None:
    part = await desk.outbound.open(desk.part(), "a")
    later(601)
    await part.show("ab")
    assert desk.answer().text == "ab"
    assert desk.answer().streaming
    later(601)
    await part.close("abc")
    assert desk.answer().text == "abc"
    assert not desk.answer().streaming


async def test_a_card_is_reopened_before_it_closes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    part = await desk.outbound.open(desk.part(), "a")
    monkeypatch.setattr(card_module, "REOPEN_AFTER", -1)
    await part.show("ab")
    assert desk.platform.calls[SETTINGS] == 1
    assert desk.platform.refusals == []


async def test_a_final_text_is_shown_even_if_the_card_cannot_be_reopened(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "a")
    desk.platform.fail_next(CONTENT, error=300309, times=2)
    await part.close("the end")
    assert desk.answer().text == "the end"
    assert not desk.answer().streaming


TABLE = "before\n\n| a | b |\n|---|---|\n| **1** | 2 |\n\nafter"


@pytest.mark.parametrize("code", [200860, 230099, 300305])
async def test_what_a_card_does_not_take_is_withheld_and_comes_without_tables_at_the_end(
    desk: Desk, code: int
) -> None:
    part = await desk.outbound.open(desk.part(), "before")
    desk.platform.fail_next(CONTENT, error=code, times=2)
    await part.show(TABLE[:-3])
    await part.show(TABLE)
    assert desk.answer().text == "before"
    await part.close(TABLE)
    assert desk.answer().text == "before\n\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n```\n\nafter"
    assert not desk.answer().streaming
    assert desk.platform.calls[CONTENT] == 2


async def test_what_no_card_draws_is_shown_as_it_came(desks: Desks, desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(1), "before")
    desk.platform.fail_next(CONTENT, error=200860)
    desk.platform.fail_next(REPLACE, error=200860)
    await part.close(TABLE)
    assert desk.answer().text == TABLE
    assert not desk.answer().streaming
    again = desks.take_over(desk)
    part = await again.outbound.resume(again.part(2), again.ref)
    await part.close(TABLE)
    assert desk.answer().text == TABLE


# Taking over.


async def test_a_takeover_goes_on_in_the_same_card_and_ends_the_other(desks: Desks, desk: Desk) -> None:
    stale = await desk.outbound.open(desk.part(1), "")
    await stale.show("from the first")
    second = desks.take_over(desk)
    part = await second.outbound.resume(second.part(2), second.ref)
    with pytest.raises(DeliveryDelayedError, match="overtaken"):
        await stale.show("from the first, and late")
    with pytest.raises(DeliveryDelayedError, match="overtaken"):
        await stale.close("from the first, and late")
    await part.show("from the second")
    await part.close("from the second.")
    assert desk.answer().text == "from the second."
    assert not desk.answer().streaming


async def test_a_card_that_was_never_sent_is_sent_by_the_next_attempt(desks: Desks, desk: Desk) -> None:
    desk.platform.fail_next(REPLY, "drop_before_effect")
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(1), "")
    second = desks.take_over(desk)
    await (await second.outbound.resume(second.part(2), second.ref)).close("answer")
    assert desk.answer().text == "answer"
    assert desk.platform.duplicate_sends == 0


async def test_a_send_of_unknown_fate_is_repeated_and_seen_once(desks: Desks, desk: Desk) -> None:
    desk.platform.fail_next(REPLY, "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(1), "")
    assert await desk.outbound.find(desk.part(1)) is None
    second = desks.take_over(desk)
    await (await second.outbound.resume(second.part(2), second.ref)).close("answer")
    assert desk.answer().text == "answer"
    assert desk.answer().ts in second.ref
    assert desk.platform.duplicate_sends == 1


async def test_a_repeated_uuid_that_is_an_error_means_that_the_message_is_there(
    desks: Desks, desk: Desk
) -> None:
    """Which of the two the platform answers is not documented."""
    desk.platform.fail_next(REPLY, "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(1), "")
    second = desks.take_over(desk)
    desk.platform.fail_next(REPLY, error=230001)
    await (await second.outbound.resume(second.part(2), second.ref)).close("answer")
    assert desk.answer().text == "answer"


async def test_opening_again_in_the_same_attempt_uses_the_same_card(desk: Desk) -> None:
    desk.platform.fail_next(REPLY, "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(), "a")
    part = await desk.outbound.open(desk.part(), "ab")
    assert desk.answer().text == "ab"
    await part.close("abc")
    assert desk.answer().text == "abc"
    assert desk.platform.calls[CREATE_CARD] == 1


async def test_resuming_again_in_the_same_attempt_is_not_refused_by_its_own_number(desk: Desk) -> None:
    await desk.outbound.open(desk.part(), "a")
    desk.platform.fail_next(SETTINGS, "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.resume(desk.part(), desk.ref)
    await (await desk.outbound.resume(desk.part(), desk.ref)).close("answer")
    assert desk.answer().text == "answer"


async def test_a_finished_card_can_be_written_again(desks: Desks, desk: Desk) -> None:
    await (await desk.outbound.open(desk.part(1), "")).close("answer")
    second = desks.take_over(desk)
    await (await second.outbound.resume(second.part(2), second.ref)).close("answer")
    assert desk.answer().text == "answer"
    assert not desk.answer().streaming


async def test_a_surplus_part_is_removed_once_and_again(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "")
    await part.close("too much")
    await desk.outbound.remove(desk.part(), desk.ref)
    await desk.outbound.remove(desk.part(), desk.ref)
    assert desk.answers() == []


async def test_a_ref_that_is_not_ours_is_refused(desk: Desk) -> None:
    for ref in ("", "{}", "[]", '{"card":"x","once":"text"}', '{"ts":"1"}'):
        with pytest.raises(DeliveryRefusedError):
            await desk.outbound.resume(desk.part(), ref)


# Without cards.


@pytest.mark.parametrize(
    ("method", "code"), [(CREATE_CARD, 99991672), (CREATE_CARD, 300305), (REPLY, 230099)]
)
async def test_where_a_card_cannot_be_the_text_is_sent_at_the_end(desk: Desk, method: str, code: int) -> None:
    desk.platform.fail_next(method, error=code)
    part = await desk.outbound.open(desk.part(), "")
    await part.show("Hel")
    assert desk.answers() == []
    await part.close("Hello")
    assert desk.answer().text == "Hello"


async def test_a_text_of_unknown_fate_is_sent_once(desks: Desks, desk: Desk) -> None:
    desk.platform.fail_next(CREATE_CARD, error=99991672)
    part = await desk.outbound.open(desk.part(1), "")
    desk.platform.fail_next(REPLY, "drop_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await part.close("Hello")
    second = desks.take_over(desk)
    await (await second.outbound.resume(second.part(2), second.ref)).close("Hello")
    assert desk.answer().text == "Hello"
    await (await second.outbound.resume(second.part(3), second.ref)).close("Hello, corrected")
    assert desk.answer().text == "Hello, corrected"


async def test_a_text_that_is_refused_is_not_taken_for_sent(desks: Desks) -> None:
    desk = await desks.open(stream=False)
    part = await desk.outbound.open(desk.part(1), "Hello")
    desk.platform.fail_next(REPLY, error=230020)
    with pytest.raises(DeliveryDelayedError):
        await part.close("Hello")
    desk.platform.fail_next(REPLY, error=230001)
    with pytest.raises(DeliveryRefusedError, match="230001"):
        await part.close("Hello")
    second = desks.take_over(desk)
    for code in (230022, 230002, 99991401):
        desk.platform.fail_next(REPLY, error=code)
        part = await second.outbound.resume(second.part(2), second.ref)
        with pytest.raises(DeliveryRefusedError, match=str(code)):
            await part.close("Hello")


async def test_without_streams_one_post_is_sent_at_the_end(desks: Desks) -> None:
    desk = await desks.open(stream=False)
    assert not desk.outbound.opens_early
    part = await desk.outbound.open(desk.part(), "Hello")
    assert desk.answers() == []
    await part.close("Hello **you**")
    assert desk.answer().text == "Hello **you**"
    assert CREATE_CARD not in desk.platform.calls


# What goes wrong.


async def test_a_rate_limit_is_obeyed_for_its_method(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "")
    desk.platform.fail_next(CONTENT, status=429, retry_after=7)
    with pytest.raises(DeliveryDelayedError) as caught:
        await part.show("a")
    assert caught.value.delay == 7
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await part.close("a")


async def test_a_chat_that_is_rate_limited_delays_only_itself(desks: Desks) -> None:
    desk = await desks.open(stream=False)
    desk.platform.fail_next(REPLY, error=230020, retry_after=20)
    with pytest.raises(DeliveryDelayedError) as limited:
        await (await desk.outbound.open(desk.part(), "")).close("one")
    assert limited.value.delay == 20
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await (await desk.outbound.open(desk.part(number=1), "")).close("one more")
    desk.platform.add_chat("oc_2")
    desk.to = Address("oc_2", "", "", "ou_alice", "")
    await (await desk.outbound.open(desk.part(number=2), "")).close("in another chat")
    assert [shown.text for shown in desk.platform.chat("oc_2")] == ["in another chat"]


@pytest.mark.parametrize("code", [230020, 230049, 11232, 300120, 200810])
async def test_what_passes_is_delayed(desk: Desk, code: int) -> None:
    desk.platform.fail_next(REPLY, error=code)
    with pytest.raises(DeliveryDelayedError):
        await desk.outbound.open(desk.part(), "")
    await (await desk.outbound.open(desk.part(), "")).close("answer")
    assert desk.answer().text == "answer"


@pytest.mark.parametrize("code", [230002, 230006, 230013, 230053, 230035, 230001, 230022, 230028, 99991401])
async def test_what_stays_is_refused_with_its_code_and_no_text(desk: Desk, code: int) -> None:
    desk.platform.fail_next(REPLY, error=code)
    with pytest.raises(DeliveryRefusedError, match=str(code)) as caught:
        await desk.outbound.open(desk.part(), "a secret thought")
    assert "thought" not in str(caught.value)
    assert CREDENTIALS.app_secret not in str(caught.value)


async def test_no_answer_within_the_timeout_is_delayed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    part = await desk.outbound.open(desk.part(), "")
    monkeypatch.setattr(api_module, "SEND_TIMEOUT", 0.2)
    desk.platform.fail_next(CONTENT, "timeout_after_effect")
    with pytest.raises(DeliveryDelayedError):
        await part.close("answer")
    await part.close("answer")
    assert desk.answer().text == "answer"
    assert not desk.answer().streaming


async def test_a_dissolved_chat_is_refused(desk: Desk) -> None:
    desk.platform.remove_chat(CHAT)
    with pytest.raises(DeliveryRefusedError, match="dissolved"):
        await desk.outbound.open(desk.part(), "")


async def test_an_expired_token_is_renewed_unseen(desk: Desk) -> None:
    part = await desk.outbound.open(desk.part(), "")
    desk.platform.expire_tokens()
    await part.close("answer")
    assert desk.answer().text == "answer"
    assert desk.platform.calls[TOKEN] == 2


# The bot itself.


@pytest.mark.parametrize("suffix", ["", "/", "/open-apis", "/open-apis/"])
async def test_check_says_who_the_bot_is(
    platform: LarkStandin, make_channel: MakeChannel, suffix: str
) -> None:
    channel = make_channel(api_base_url=platform.api_base_url + suffix)
    findings = await channel.check()
    assert [(finding.subject, finding.ok) for finding in findings] == [("credentials", True), ("bot", True)]
    assert "ou_bot" in findings[1].detail


async def test_check_says_what_is_wrong(platform: LarkStandin, make_channel: MakeChannel) -> None:
    wrong = LarkCredentials(CREDENTIALS.app_id, "wrong-secret", "key")
    (finding,) = await make_channel(credentials=wrong, api_base_url=platform.api_base_url).check()
    assert not finding.ok
    assert "app_secret" in finding.detail
    assert "wrong-secret" not in finding.detail
    (finding,) = await make_channel(credentials=None).check()
    assert (finding.ok, finding.subject) == (False, "credentials")
    (finding,) = await make_channel(api_base_url=UNREACHABLE).check()
    assert not finding.ok


async def test_the_bot_learns_who_it_is_in_the_background_although_the_platform_is_away_at_first(
    platform: LarkStandin, make_channel: MakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.lark.channel.FIRST_RETRY", 0.01)
    platform.fail_next("bot.v3.info", status=503, times=2)
    channel = make_channel(api_base_url=platform.api_base_url)
    to_another_bot = signed(encrypted(payload("group_mention").replace(b"ou_bot", b"ou_another_bot")))
    assert isinstance(channel.receive(to_another_bot), InboundMessage)
    await channel.start()
    async with asyncio.timeout(5):
        while channel.receive(to_another_bot) != Ignored("not_mentioned"):
            await asyncio.sleep(0.01)
    assert platform.calls["bot.v3.info"] == 3


async def test_a_draft_sends_nothing(make_channel: MakeChannel) -> None:
    draft = make_channel(credentials=None)
    await draft.start()
    desk = Desk(None, draft, Address(CHAT, "om_1", "", "", ""))  # type: ignore[arg-type]  # never reached
    with pytest.raises(DeliveryRefusedError, match="no credentials"):
        await desk.outbound.open(desk.part(), "")


async def test_closing_ends_what_was_begun(http: aiohttp.ClientSession) -> None:
    channel = LarkChannel("helpdesk", CREDENTIALS, http=http, api_base_url=UNREACHABLE)
    await channel.start()
    await asyncio.sleep(0.05)
    await channel.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("lark-")]


async def test_numbers_that_a_store_has_forgotten_are_passed_by_a_later_attempt(
    desks: Desks, desk: Desk
) -> None:
    """After a failover an attempt may be counted anew; it is put back, and never given up for that."""
    first = await desk.outbound.open(desk.part(1), "")
    await first.show("from the first")
    again = desks.take_over(desk)
    with pytest.raises(DeliveryDelayedError, match="overtaken"):
        await again.outbound.resume(again.part(1), again.ref)
    later = desks.take_over(again)
    part = await later.outbound.resume(later.part(2), later.ref)
    await part.close("from the last")
    (shown,) = [one for one in desk.platform.chat(CHAT) if one.author == "bot"]
    assert shown.text == "from the last"
