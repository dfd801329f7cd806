"""Answers as a person sees them, through the strict stand-in: its complaints fail the test (see conftest)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.leased import Budget
from channels.port import ChannelPolicy
from channels.received import WebhookRequest
from channels.slack import SlackChannel, limits, post, render, stream
from conversation.controls import Controls
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.outbound import (
    DeliveryDelayedError,
    DeliveryRefusedError,
    DeliveryStoppedError,
    DeliveryUnknownError,
    Outbound,
    PartRequest,
    ShownPart,
)
from conversation.steps import State, Step
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown, Task
from tests.channels.slack.conftest import MakeChannel

PLAIN = ChannelPolicy(conversation_per="sender")


@dataclass
class Desk:
    """A bot, the people's side of its workspace, and what was stored about its parts."""

    slack: SlackStandin
    channel: SlackChannel
    url: str
    asked: list[InboundMessage] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)

    @property
    def bot(self) -> Outbound:
        return self.channel.outbound

    async def ask(self, part: str, chat: str = "C1", thread: str | None = None) -> PartRequest:
        """A person asks; the part that will answer."""
        await self.slack.say(self.url, channel=chat, user="U1", text="why?", thread_ts=thread)
        message = self.asked[-1]

        async def save(ref: str) -> None:
            self.refs[part] = ref

        return PartRequest(message.address, part, 1, save)

    def answers(self, part: PartRequest) -> list[Shown]:
        shown = self.slack.thread(part.to.chat, part.to.thread or None)
        return [message for message in shown if message.author == "bot"]

    def answer(self, part: PartRequest) -> Shown:
        [shown] = self.answers(part)
        return shown

    async def stop(self, part: PartRequest) -> None:
        """A person presses the stop button of the part's thread."""
        await self.slack.press_stop(
            self.url, channel=part.to.chat, thread_ts=part.to.thread, user=part.to.sender
        )

    def wait_five_minutes(self) -> None:
        """By Slack's clock, after which it has ended every stream."""
        later = self.slack.clock() + 301
        self.slack.clock = lambda: later

    def restarted(self, make_channel: MakeChannel) -> Outbound:
        """The bot's outbound in the next process, which knows only what was stored."""
        return make_channel(api_base_url=self.slack.api_base_url).outbound


async def desk_of(slack: SlackStandin, channel: SlackChannel) -> AsyncIterator[Desk]:
    desk = Desk(slack, channel, "")

    async def webhook(request: web.Request) -> web.Response:
        received = channel.receive(WebhookRequest(request.headers, await request.read(), slack.clock()))
        if isinstance(received, InboundMessage):
            desk.asked.append(received)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", webhook)
    async with TestServer(app) as server:
        desk.url = str(server.make_url("/"))
        yield desk


@pytest.fixture
async def desk(slack: SlackStandin, make_channel: MakeChannel) -> AsyncIterator[Desk]:
    async for desk in desk_of(slack, make_channel(api_base_url=slack.api_base_url)):
        yield desk


@pytest.fixture
async def plain_desk(slack: SlackStandin, make_channel: MakeChannel) -> AsyncIterator[Desk]:
    """A bot whose conversation is not the thread, and which therefore does not stream natively."""
    async for desk in desk_of(slack, make_channel(PLAIN, api_base_url=slack.api_base_url)):
        yield desk


SOME_CONTROLS = Controls(
    "a" * 24, "b" * 16, ConversationKey("slack", "helpdesk", "T0DEMO", "D1"), "en", feedback=True
)


def label(part: str) -> dict[str, object]:
    return {"event_type": "turnkeeper_part", "event_payload": {"part": part}}


async def test_an_answer_in_a_thread_is_streamed_and_ends_labelled(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    assert desk.refs["p0"] == post.Ref(ts=desk.answer(part).ts, stream=True).model_dump_json()
    await live.pace()
    await live.show("Because <")
    await live.close("Because <!channel> of this.")
    shown = desk.answer(part)
    assert [text for _, text in shown.history] == ["Be", "Because ", "Because &lt;!channel> of this."]
    assert (shown.streaming, shown.metadata) == (False, label("p0"))
    assert "chat.update" not in desk.slack.calls


async def test_words_that_became_certain_after_the_stream_was_opened_are_not_paced_if_they_are_the_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SHORTEST_APPEND", 60.0)
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "**Be")
    assert desk.answer(part).text == ""
    async with asyncio.timeout(5.0):
        await live.pace()
        await live.show("**Because** of")
    assert desk.answer(part).text == "**Because** of"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await live.pace()
    await live.close("**Because** of this.")


def step(number: int, state: State, detail: str = "") -> Step:
    return Step(f"call {number}", f"Step {number}", state, detail)


async def test_steps_are_task_cards_of_the_stream(desk: Desk) -> None:
    part = replace(await desk.ask("p0"), steps=(step(1, "running", "soup"),))
    live = await desk.bot.open(part, "")
    assert desk.answer(part).tasks == {"step-1": Task("Step 1", ("in_progress",), "soup")}
    live.working([step(1, "done", "soup"), step(2, "running")])
    await live.show("")
    live.working([step(1, "done", "soup"), step(2, "running"), step(3, "running")])
    await live.show("Because")
    calls = desk.slack.calls["chat.appendStream"]
    await live.show("Because")
    assert desk.slack.calls["chat.appendStream"] == calls, "what is there already is not sent again"
    live.working([step(1, "done", "soup"), step(2, "failed"), step(3, "done")])
    await live.close("Because of this.")
    shown = desk.answer(part)
    assert shown.tasks == {
        "step-1": Task("Step 1", ("in_progress", "complete"), "soup"),
        "step-2": Task("Step 2", ("in_progress", "error")),
        "step-3": Task("Step 3", ("in_progress", "complete")),
    }
    assert (shown.text, shown.streaming) == ("Because of this.", False)
    assert "chat.update" not in desk.slack.calls


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream"])
async def test_where_task_cards_are_refused_the_text_is_streamed_without_them(
    desk: Desk, method: str
) -> None:
    steps = (step(1, "running"),)
    part = await desk.ask("p0")
    desk.slack.fail_next(method, error="invalid_chunks")
    live = await desk.bot.open(replace(part, steps=steps if method == "chat.startStream" else ()), "Be")
    if method == "chat.appendStream":
        live.working(steps)
    await live.show("Because")
    assert desk.answer(part).text == "Because"
    live.working([step(1, "done")])
    await live.close("Because of this.")
    assert desk.answer(part).text == "Because of this."
    assert "chat.update" not in desk.slack.calls


async def test_a_message_that_is_no_stream_tells_the_newest_step_until_there_is_text(
    plain_desk: Desk,
) -> None:
    part = replace(await plain_desk.ask("p0"), steps=(step(1, "running"),))
    live = await plain_desk.bot.open(part, "")
    live.working([step(1, "done"), replace(step(2, "running"), title="Ask @channel ‹!here›")])
    await live.show("")
    await live.show("Because")
    await live.close("Because of this.")
    texts = [text for _, text in plain_desk.answer(part).history]
    assert texts[0] == "Step 1…"
    assert texts[1].startswith("Ask")
    assert "<!" not in texts[1]
    assert texts[2:] == ["Because", "Because of this."]
    assert plain_desk.answer(part).tasks == {}


async def test_an_answer_at_the_top_of_a_direct_message_is_posted_and_updated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "SHORTEST_UPDATE", 0.01)
    part = await desk.ask("p0", "D1")
    live = await desk.bot.open(part, "Be")
    assert desk.answer(part).metadata == label("p0")
    await live.pace()
    await live.show("Because")
    await live.close("Because of this.")
    shown = desk.answer(part)
    assert [text for _, text in shown.history] == ["Be", "Because", "Because of this."]
    assert (shown.thread, shown.metadata) == (None, label("p0"))
    assert "chat.startStream" not in desk.slack.calls


async def test_where_the_thread_is_not_the_conversation_nothing_is_streamed(plain_desk: Desk) -> None:
    part = await plain_desk.ask("p0")
    await (await plain_desk.bot.open(part, "Because")).close("Because of this.")
    assert plain_desk.answer(part).text == "Because of this."
    assert plain_desk.slack.calls["chat.postMessage"] == 1


@pytest.mark.parametrize("chat", ["C1", "D1"])
async def test_an_answer_complete_at_once_takes_no_update(desk: Desk, chat: str) -> None:
    part = await desk.ask("p0", chat)
    await (await desk.bot.open(part, "Yes.")).close("Yes.")
    assert (desk.answer(part).text, desk.answer(part).streaming) == ("Yes.", False)
    assert "chat.update" not in desk.slack.calls


async def test_a_text_that_changed_where_it_was_shown_is_mended_at_the_end(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "It is 41")
    await live.show("It is 42")
    assert desk.answer(part).text == "It is 41"
    await live.close("It is 42.")
    assert (desk.answer(part).text, desk.answer(part).streaming) == ("It is 42.", False)


async def test_a_stream_that_slack_ended_goes_on_by_updates(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    desk.wait_five_minutes()
    for _ in range(2):  # the first one ends what was; the next has its turn among the updates
        await live.show("Because")
    assert desk.answer(part).text == "Because"
    await live.close("Because of this.")
    assert (desk.answer(part).text, desk.answer(part).metadata) == ("Because of this.", label("p0"))
    assert '"stream":false' in desk.refs["p0"]


async def test_a_stream_that_slack_ended_before_its_close_is_mended(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    desk.wait_five_minutes()
    await live.close("Because")
    assert (desk.answer(part).text, desk.answer(part).metadata) == ("Because", label("p0"))


async def test_an_old_stream_is_stopped_in_time_and_goes_on_by_updates(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    monkeypatch.setattr(stream, "LIFETIME", 0.0)
    for _ in range(2):
        await live.show("Because")
    assert (desk.answer(part).text, desk.slack.open_streams()) == ("Because", [])
    await live.close("Because of this.")
    assert desk.answer(part).text == "Because of this."
    assert desk.slack.calls["chat.appendStream"] == 0


@pytest.mark.parametrize("how", ["drop_before_effect", "drop_after_effect"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_no_text_appears_twice_when_an_append_or_the_close_gets_no_answer(
    desk: Desk, method: str, how: str
) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    desk.slack.fail_next(method, how)  # type: ignore[arg-type]  # parametrized
    for write, text in ((live.show, "Because"), (live.close, "Because of this.")):
        try:
            await write(text)
        except DeliveryDelayedError:
            await write(text)
    shown = desk.answer(part)
    assert (shown.text, shown.streaming, shown.metadata) == ("Because of this.", False, label("p0"))
    assert all("Because of this.".startswith(text) for _, text in shown.history)


async def test_a_close_that_was_rate_limited_may_be_repeated(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    desk.slack.fail_next("chat.stopStream", status=429, retry_after=0)
    with pytest.raises(DeliveryDelayedError):
        await live.close("Because")
    await live.close("Because")
    assert (desk.answer(part).text, desk.answer(part).streaming) == ("Because", False)
    assert "chat.update" not in desk.slack.calls


@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_stream_that_takes_no_more_goes_on_by_updates(desk: Desk, method: str) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    desk.slack.fail_next(method, error="msg_too_long")
    for _ in range(2):
        await live.show("Because")
    assert desk.answer(part).text == "Because"
    await live.close("Because of this.")
    assert (desk.answer(part).text, desk.slack.open_streams()) == ("Because of this.", [])


async def test_an_update_that_meets_a_live_stream_stops_it_first(
    desk: Desk, make_channel: MakeChannel
) -> None:
    part = await desk.ask("p0")
    await desk.bot.open(part, "Be")
    live = await desk.restarted(make_channel).resume(part, desk.refs["p0"])
    stops = desk.slack.calls["chat.stopStream"]
    desk.slack.fail_next("chat.update", error="streaming_state_conflict")
    await live.close("Because")
    assert desk.answer(part).text == "Because"
    assert desk.slack.calls["chat.stopStream"] == stops + 1


@pytest.mark.parametrize("ending", [False, True])
async def test_a_stream_that_a_person_stopped_stays_as_it_is_and_is_labelled(
    desk: Desk, *, ending: bool
) -> None:
    """The label keeps ``find`` from taking it for a lost one."""
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    await desk.stop(part)
    with pytest.raises(DeliveryStoppedError, match="stopped_by_user"):
        await (live.close if ending else live.show)("Because")
    assert (desk.answer(part).text, desk.answer(part).metadata) == ("Be", label("p0"))
    assert await desk.bot.find(part) == desk.refs["p0"].replace("true", "false")
    assert desk.channel._own._limits.live_streams == 0


async def test_a_stream_that_a_person_stopped_before_there_was_text_keeps_its_newest_step(desk: Desk) -> None:
    part = replace(await desk.ask("p0"), steps=(step(1, "done"), step(2, "running")))
    live = await desk.bot.open(part, "")
    await desk.stop(part)
    with pytest.raises(DeliveryStoppedError):
        await live.show("Because")
    assert (desk.answer(part).text, desk.answer(part).metadata) == ("Step 2…", label("p0"))


async def test_a_stopped_thread_does_not_look_busy_any_longer(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    await desk.stop(part)
    assert list(desk.slack.sessions.values()) == ["processing"], "Slack leaves that to the app"
    with pytest.raises(DeliveryStoppedError):
        await live.show("Because")
    assert list(desk.slack.sessions.values()) == ["active"]


async def test_an_app_that_is_no_agent_stops_all_the_same(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    await desk.stop(part)
    desk.slack.fail_next("agents.sessions.setStatus", error="feature_disabled")
    with pytest.raises(DeliveryStoppedError):
        await live.show("Because")


async def test_who_takes_over_a_stopped_stream_is_told(desk: Desk, make_channel: MakeChannel) -> None:
    part = await desk.ask("p0")
    await desk.bot.open(part, "Be")
    await desk.stop(part)
    with pytest.raises(DeliveryStoppedError):
        await desk.restarted(make_channel).resume(part, desk.refs["p0"])
    assert list(desk.slack.sessions.values()) == ["active"]


async def test_a_surplus_part_is_removed_though_a_person_stopped_it(desk: Desk) -> None:
    part = await desk.ask("p0")
    await desk.bot.open(part, "Be")
    await desk.stop(part)
    await desk.bot.remove(part, desk.refs["p0"])
    assert desk.answers(part) == []


@pytest.mark.parametrize("code", ["unknown_method", "feature_disabled", "channel_type_not_supported"])
async def test_where_streams_are_not_to_be_had_messages_are_posted(desk: Desk, code: str) -> None:
    desk.slack.fail_next("chat.startStream", error=code)
    for name in ("p0", "p1"):
        part = await desk.ask(name)
        await (await desk.bot.open(part, "Be")).close("Because")
        assert desk.answer(part).text == "Because"
    assert desk.slack.calls["chat.startStream"] == 1
    assert desk.slack.calls["chat.postMessage"] == 2


async def test_streams_beyond_what_can_be_closed_are_posted_instead(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_CHAT_BURST", 10)
    parts = [await desk.ask(f"p{number}") for number in range(22)]
    lives = await asyncio.gather(*(desk.bot.open(part, "Be") for part in parts[:21]))
    assert len(desk.slack.open_streams()) == 19
    await asyncio.gather(*(live.close("Because") for live in lives))
    assert [desk.answer(part).text for part in parts[:21]] == ["Because"] * 21
    assert desk.channel._own._limits.live_streams == 0
    assert desk.slack.refusals == []


async def test_a_rate_limited_start_is_posted_instead(desk: Desk) -> None:
    desk.slack.fail_next("chat.startStream", status=429, retry_after=30)
    part = await desk.ask("p0")
    await (await desk.bot.open(part, "Be")).close("Because")
    assert desk.answer(part).text == "Because"


async def test_a_rate_limit_holds_for_its_method(plain_desk: Desk) -> None:
    part = await plain_desk.ask("p0")
    live = await plain_desk.bot.open(part, "Be")
    plain_desk.slack.fail_next("chat.update", status=429, retry_after=7)
    with pytest.raises(DeliveryDelayedError) as delayed:
        await live.show("Because")
    assert delayed.value.delay == 7
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(live.close("Because"), 0.05)
    other = await plain_desk.ask("p1", "D1")
    await plain_desk.bot.open(other, "Posting goes on.")


async def test_a_chat_that_is_rate_limited_delays_only_itself(plain_desk: Desk) -> None:
    part, other = await plain_desk.ask("p0"), await plain_desk.ask("p1", "D1")
    plain_desk.slack.fail_next("chat.postMessage", status=429, retry_after=20)
    with pytest.raises(DeliveryDelayedError) as limited:
        await plain_desk.bot.open(part, "Because")
    assert limited.value.delay == 20
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(plain_desk.bot.open(part, "Because"), 0.2)
    await plain_desk.bot.open(other, "Posting goes on.")
    assert plain_desk.answer(other).text == "Posting goes on."


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"how": "drop_before_effect"}, DeliveryUnknownError),
        ({"how": "drop_after_effect"}, DeliveryUnknownError),
        ({"how": "timeout_after_effect"}, DeliveryUnknownError),
        ({"status": 503}, DeliveryUnknownError),
        ({"status": 200}, DeliveryUnknownError),
        ({"error": "fatal_error"}, DeliveryUnknownError),
        ({"error": "service_unavailable"}, DeliveryDelayedError),
        ({"status": 429, "retry_after": 3}, DeliveryDelayedError),
        ({"error": "ratelimited"}, DeliveryDelayedError),
        ({"error": "invalid_auth"}, DeliveryRefusedError),
        ({"error": "missing_scope"}, DeliveryRefusedError),
        ({"error": "is_archived"}, DeliveryRefusedError),
        ({"error": "msg_too_long"}, DeliveryRefusedError),
    ],
)
async def test_what_a_failed_send_means(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: dict[str, object], raised: type[Exception]
) -> None:
    monkeypatch.setattr("channels.slack.web_api.SEND_TIMEOUT", 0.2)
    part = await desk.ask("p0", "D1")
    desk.slack.fail_next("chat.postMessage", **fault)  # type: ignore[arg-type]  # parametrized
    with pytest.raises(raised) as error:
        await desk.bot.open(part, "a private text")
    assert "private" not in str(error.value)
    assert "xoxb" not in str(error.value)


async def test_where_no_connection_is_made_nothing_was_sent(make_channel: MakeChannel, desk: Desk) -> None:
    part = await desk.ask("p0", "D1")
    with pytest.raises(DeliveryDelayedError):
        await make_channel().outbound.open(part, "Because")


@pytest.mark.parametrize("chat", ["C1", "D1"])
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_send_of_unknown_fate_is_found_exactly_if_it_arrived(
    desk: Desk, make_channel: MakeChannel, chat: str, *, arrived: bool
) -> None:
    earlier = await desk.ask("earlier", chat)
    await (await desk.bot.open(earlier, "Another answer.")).close("Another answer.")
    part = await desk.ask("p0", chat, earlier.to.thread or None)
    method = "chat.startStream" if chat == "C1" else "chat.postMessage"
    desk.slack.fail_next(method, "drop_after_effect" if arrived else "drop_before_effect")
    with pytest.raises(DeliveryUnknownError):
        await desk.bot.open(part, "Be")
    later = desk.restarted(make_channel)
    ref = await later.find(part)
    assert (ref is not None) is arrived
    live = await later.open(part, "Be") if ref is None else await later.resume(part, ref)
    await live.close("Because")
    assert [(shown.text, shown.streaming) for shown in desk.answers(part)] == [
        ("Another answer.", False),
        ("Because", False),
    ]
    found = await later.find(part)
    assert found == post.Ref(ts=desk.answers(part)[-1].ts, stream=False).model_dump_json()


async def test_two_unlabelled_messages_cannot_be_told_apart(desk: Desk) -> None:
    part = await desk.ask("p0")
    for _ in range(2):
        await desk.bot.open(part, "Be")
    assert await desk.bot.find(part) is None


async def test_the_message_that_began_the_thread_is_no_answer(desk: Desk) -> None:
    """It may be the bot's own, posted by another program, and Slack lists it with every thread."""
    root = desk.slack._add("C1", "bot", "U0BOT", None)
    part = await desk.ask("p0", thread=root.ts)
    assert await desk.bot.find(part) is None


async def test_a_taken_over_stream_is_stopped_and_overwritten(desk: Desk, make_channel: MakeChannel) -> None:
    part = await desk.ask("p0")
    await desk.bot.open(part, "Of the old process")
    later = desk.restarted(make_channel)
    live = await later.resume(part, desk.refs["p0"])
    assert (desk.slack.open_streams(), '"stream":false' in desk.refs["p0"]) == ([], True)
    await live.show("Of")
    await live.close("Of the new process")
    assert (desk.answer(part).text, desk.answer(part).metadata) == ("Of the new process", label("p0"))


async def idle() -> int | None:
    return 7


async def busy() -> int | None:
    return None


@pytest.mark.parametrize("chat", ["C1", "D1"])
async def test_a_late_edit_over_a_finished_answer_is_written_over(
    desk: Desk, make_channel: MakeChannel, chat: str
) -> None:
    part = await desk.ask("p0", chat)
    await desk.bot.open(part, "Of the old")
    later = desk.restarted(make_channel)
    live = await later.resume(part, desk.refs["p0"])
    await live.close("Of the new process")
    stale = post.Message(part.to.chat, desk.answer(part).ts, part.id, part.to.thread)
    await post.PostedPart(desk.channel._api, limits.Limits(Budget()), stale, None).show("Of the old pro")
    await later.repair([ShownPart(part, desk.refs["p0"], "Of the new process")], (), idle)
    assert [text for _, text in desk.answer(part).history][-2:] == ["Of the old pro", "Of the new process"]


@pytest.mark.parametrize("text", ["# Done", "2 * 3 = 6 *", "so **it is", "see [this"])
async def test_what_is_shown_once_more_is_the_end_and_not_what_might_still_grow(
    plain_desk: Desk, text: str
) -> None:
    part = await plain_desk.ask("p0", "D1")
    await (await plain_desk.bot.open(part, text)).close(text)
    before = plain_desk.answer(part).text
    shown = ShownPart(part, plain_desk.refs["p0"], text, SOME_CONTROLS)
    assert await plain_desk.bot.repair([shown], (), idle)
    assert plain_desk.answer(part).text == before
    assert list(plain_desk.answer(part).buttons) == ["Good answer", "Bad answer"]


async def test_copies_of_a_finished_answer_are_taken_away_and_nothing_else(plain_desk: Desk) -> None:
    part, other = await plain_desk.ask("p0", "D1"), await plain_desk.ask("p1", "D1")
    for one in (part, other):
        await (await plain_desk.bot.open(one, f"Answer {one.id}")).close(f"Answer {one.id}")
    ref = plain_desk.refs["p0"]
    await plain_desk.bot.open(part, "Answer")  # of a process that did not know better
    assert len(plain_desk.answers(part)) == 3
    await plain_desk.bot.repair([ShownPart(part, ref, "Answer p0")], (ref,), idle)
    assert [shown.text for shown in plain_desk.answers(part)] == ["Answer p0", "Answer p1"]


async def test_a_stray_stream_whose_sender_knew_it_is_taken_away(desk: Desk) -> None:
    """It has no label yet, so only its ref tells it from the answer that is growing."""
    part = await desk.ask("p0")
    await (await desk.bot.open(part, "Answer")).close("Answer")
    ref = desk.refs["p0"]
    await desk.bot.open(part, "Ans")
    await desk.bot.repair([ShownPart(part, ref, "Answer")], (desk.refs["p0"],), busy)
    assert [shown.text for shown in desk.answers(part)] == ["Answer"]
    assert desk.slack.open_streams() == []


async def test_a_stray_stream_that_nobody_knows_is_taken_away_once_nothing_grows_there(desk: Desk) -> None:
    part = await desk.ask("p0")
    await (await desk.bot.open(part, "Answer")).close("Answer")
    ref = desk.refs["p0"]
    await desk.bot.open(part, "Ans")
    assert not await desk.bot.repair([ShownPart(part, ref, "Answer")], (), busy), "again later"
    assert len(desk.answers(part)) == 2, "it may be an answer that grows"
    assert await desk.bot.repair([ShownPart(part, ref, "Answer")], (), idle)
    assert [shown.text for shown in desk.answers(part)] == ["Answer"]


async def test_what_another_program_wrote_under_the_bots_name_stays(desk: Desk) -> None:
    part = await desk.ask("p0")
    await (await desk.bot.open(part, "Answer")).close("Answer")
    shown = desk.slack._add("C1", "bot", "U0BOT", part.to.thread)
    desk.slack.show(shown, "Deployed.")
    assert await desk.bot.repair([ShownPart(part, desk.refs["p0"], "Answer")], (), idle)
    assert [shown.text for shown in desk.answers(part)] == ["Answer", "Deployed."]
    assert desk.slack.complaints.pop().endswith("message_not_in_streaming_state"), "that is how it is told"


@pytest.mark.parametrize("chat", ["C1", "D1"])
async def test_a_surplus_part_is_taken_away_even_twice(desk: Desk, chat: str) -> None:
    part = await desk.ask("p0", chat)
    await desk.bot.open(part, "Be")
    for _ in range(2):
        await desk.bot.remove(part, desk.refs["p0"])
    assert desk.answers(part) == []
    assert desk.slack.open_streams() == []


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_message_deleted_by_somebody_is_shown_anew(
    desk: Desk, plain_desk: Desk, *, streamed: bool
) -> None:
    """Docs: the error mapping, edits."""
    here = desk if streamed else plain_desk
    part = await here.ask("p0")
    live = await here.bot.open(part, "Be")
    first = here.refs["p0"]
    await here.bot.remove(part, first)
    await live.close("Because")
    assert [one.text for one in here.answers(part)] == ["Because"]
    assert here.refs["p0"] != first, "the next attempt has to know the new one"
    assert await here.bot.find(part) == here.refs["p0"]


async def test_a_cancelled_append_is_mended(desk: Desk) -> None:
    part = await desk.ask("p0")
    live = await desk.bot.open(part, "Be")
    async with desk.slack.hold("chat.appendStream") as hold:
        showing = asyncio.ensure_future(live.show("Because"))
        await hold.reached()
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    await live.close("Because of this.")
    assert desk.answer(part).text == "Because of this."


async def test_partial_texts_keep_their_distance(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SHORTEST_APPEND", 0.05)
    loop = asyncio.get_running_loop()
    live = await desk.bot.open(await desk.ask("p0"), "a")
    started = loop.time()
    for number in range(3):
        await live.pace()
        await live.show("abcd"[: number + 2])
    assert loop.time() - started >= 0.14


async def test_a_long_text_is_cut_below_what_a_message_takes(desk: Desk) -> None:
    halves = desk.bot.cut("字" * 5_000)
    assert halves is not None
    assert len(halves[0].encode()) <= render.PART_BYTES
    assert "".join(halves) == "字" * 5_000


async def test_an_admin_may_want_no_growing_answers(make_channel: MakeChannel) -> None:
    assert make_channel(ChannelPolicy(stream=False)).outbound.streams is False
    assert make_channel().outbound.streams is True


async def test_check_tells_whether_the_token_works(make_channel: MakeChannel, slack: SlackStandin) -> None:
    channel = make_channel(api_base_url=slack.api_base_url)
    [well] = await channel.check()
    assert (well.ok, well.detail) == (True, "turnkeeper in Demo")
    slack.fail_next("auth.test", error="invalid_auth")
    [ill] = await channel.check()
    assert (ill.ok, ill.detail) == (False, "auth.test: invalid_auth")
    [draft] = await make_channel(draft=True).check()
    assert not draft.ok
