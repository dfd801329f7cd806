"""The Slack stand-in keeps Slack's rules, seen through Slack's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.models.messages.chunk import MarkdownTextChunk
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from gateway.demo.slack import SlackStandin
from tests.demo.webhook import Got, accepted, webhook

NOWHERE = "http://127.0.0.1:9/"


class Now:
    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


@asynccontextmanager
async def workspace(**options: Any) -> AsyncIterator[tuple[SlackStandin, AsyncWebClient, Now]]:
    now = Now()
    settings: dict[str, Any] = {"redeliver": False, "retry_delays": (), "latency": 0.002} | options
    async with (
        SlackStandin(signing_secret="sign", bot_token="xoxb-1", clock=now, **settings) as slack,
        aiohttp.ClientSession() as session,
    ):
        slack.add_channel("C1")
        slack.add_channel("D1", "im")
        yield slack, AsyncWebClient("xoxb-1", base_url=slack.api_base_url, session=session), now


@pytest.fixture
async def slack_client() -> AsyncIterator[tuple[SlackStandin, AsyncWebClient, Now]]:
    async with workspace() as everything:
        yield everything


Setting = tuple[SlackStandin, AsyncWebClient, Now]


def chunks(text: str) -> list[MarkdownTextChunk]:
    return [MarkdownTextChunk(text=text)]


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def start(slack: SlackStandin, client: AsyncWebClient, text: str = "hello ") -> tuple[str, str]:
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    answer = await client.chat_startStream(
        channel="C1",
        thread_ts=said.ts,
        recipient_user_id="U1",
        recipient_team_id="T0DEMO",
        chunks=chunks(text),
    )
    return said.ts, str(answer["ts"])


async def test_a_streamed_reply_grows_in_its_thread_and_ends(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    thread, ts = await start(slack, client)
    assert slack.open_streams()
    await client.chat_appendStream(channel="C1", ts=ts, chunks=chunks("wor"))
    await client.chat_stopStream(channel="C1", ts=ts, chunks=chunks("ld"))
    person, bot = slack.thread("C1", thread)
    assert (person.author, person.text) == ("person", "hi")
    assert (bot.author, bot.text, bot.streaming) == ("bot", "hello world", False)
    assert [text for _, text in bot.history] == ["hello ", "hello wor", "hello world"]
    assert slack.open_streams() == []
    assert slack.complaints == []


async def test_the_chat_stream_of_the_sdk_breaks_no_rule(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    stream = await client.chat_stream(
        channel="C1", thread_ts=said.ts, recipient_user_id="U1", recipient_team_id="T0DEMO"
    )
    for _ in range(40):
        await stream.append(markdown_text="many words and more ")
    await stream.stop()
    assert slack.thread("C1", said.ts)[-1].text == "many words and more " * 40
    assert slack.complaints == []


async def test_a_stream_keeps_the_mode_in_which_it_began(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    _, ts = await start(slack, client)
    assert await refused(client.chat_appendStream(channel="C1", ts=ts, markdown_text="x")) == (
        "streaming_mode_mismatch"
    )
    assert len(slack.complaints) == 1


async def test_a_stream_in_a_channel_names_its_reader_and_its_thread(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    nobody = client.chat_startStream(channel="C1", thread_ts=said.ts, chunks=chunks("x"))
    assert await refused(nobody) == "missing_recipient_user_id"
    teamless = client.chat_startStream(
        channel="C1", thread_ts=said.ts, recipient_user_id="U1", chunks=chunks("x")
    )
    assert await refused(teamless) == "missing_recipient_team_id"
    loose = client.api_call("chat.startStream", json={"channel": "C1", "recipient_user_id": "U1"})
    assert await refused(loose) == "thread_ts_required"


async def test_a_stream_in_a_direct_message_needs_no_reader(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="D1", user="U1", text="hi")
    await client.chat_startStream(channel="D1", thread_ts=said.ts, chunks=chunks("x"))
    assert slack.complaints == []


async def test_a_stream_holds_eleven_thousand_nine_hundred_bytes_and_no_more(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    _, ts = await start(slack, client, "字" * 3000)
    await client.chat_appendStream(channel="C1", ts=ts, chunks=chunks("x" * 2900))
    assert await refused(client.chat_appendStream(channel="C1", ts=ts, chunks=chunks("x"))) == "msg_too_long"


async def test_a_tasks_text_has_a_limit(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    _, ts = await start(slack, client)
    task = {"type": "task_update", "id": "1", "title": "x" * 257, "status": "pending"}
    assert await refused(client.chat_appendStream(channel="C1", ts=ts, chunks=[task])) == "invalid_chunks"
    task["title"] = "x" * 256
    assert (await client.chat_appendStream(channel="C1", ts=ts, chunks=[task]))["ok"]


async def test_slack_ends_a_stream_after_five_minutes_and_an_edit_still_works(slack_client: Setting) -> None:
    slack, client, now = slack_client
    thread, ts = await start(slack, client)
    assert await refused(client.chat_update(channel="C1", ts=ts, text="x")) == "streaming_state_conflict"
    now.at += 300
    for late in (client.chat_appendStream, client.chat_stopStream):
        assert (
            await refused(late(channel="C1", ts=ts, chunks=chunks("x"))) == "message_not_in_streaming_state"
        )
    await client.chat_update(channel="C1", ts=ts, markdown_text="all of it")
    assert slack.thread("C1", thread)[-1].text == "all of it"
    assert slack.open_streams() == []


async def test_only_the_bots_own_streams_can_be_written(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    foreign = client.chat_appendStream(channel="C1", ts=said.ts, chunks=chunks("x"))
    assert await refused(foreign) == "message_not_owned_by_app"
    unknown = client.chat_stopStream(channel="C1", ts="1.000001")
    assert await refused(unknown) == "message_not_found"
    assert await refused(client.chat_update(channel="C1", ts=said.ts, text="x")) == "cant_update_message"
    assert len(slack.complaints) == 3


async def test_two_appends_at_once_to_one_stream_are_complained_about(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    _, ts = await start(slack, client)
    await asyncio.gather(
        *(client.chat_appendStream(channel="C1", ts=ts, chunks=chunks("x")) for _ in range(2))
    )
    assert len(slack.complaints) == 1
    assert "in flight" in slack.complaints[0]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"text": "x", "markdown_text": "x"}, "markdown_text_conflict"),
        ({"text": " "}, "no_text"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "markdown", "text": "x" * 12_001}]}, "msg_blocks_too_long"),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2990}}] * 5},
            "msg_blocks_too_long",
        ),
        ({"blocks": [{"type": "divider"}] * 51}, "msg_blocks_too_many"),
    ],
)
async def test_contents_that_slack_refuses(
    slack_client: Setting, content: dict[str, Any], error: str
) -> None:
    slack, client, _ = slack_client
    assert await refused(client.api_call("chat.postMessage", json={"channel": "C1", **content})) == error
    assert len(slack.complaints) == 1


async def test_a_deleted_channel_is_an_error_but_nobodys_fault(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    assert await refused(client.chat_postMessage(channel="C404", text="x")) == "channel_not_found"
    assert slack.complaints == []
    assert len(slack.refusals) == 1


async def test_a_wrong_token_is_refused(slack_client: Setting) -> None:
    slack, _, _ = slack_client
    stranger = AsyncWebClient("xoxb-2", base_url=slack.api_base_url)
    assert await refused(stranger.auth_test()) == "invalid_auth"


async def test_a_post_is_found_again_by_its_metadata(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    metadata = {"event_type": "part", "event_payload": {"id": "p1"}}
    posted = await client.chat_postMessage(
        channel="C1", thread_ts=said.ts, text="a &lt; b", metadata=metadata
    )
    found = await client.conversations_replies(
        channel="C1", ts=said.ts, oldest=said.ts, include_all_metadata=True
    )
    root, reply = found["messages"]
    assert (root["ts"], reply["ts"], reply["metadata"]) == (said.ts, posted["ts"], metadata)
    assert slack.thread("C1", said.ts)[-1].text == "a < b"
    plain = await client.conversations_replies(channel="C1", ts=said.ts)
    assert "metadata" not in plain["messages"][1]


async def test_a_form_with_json_inside_is_understood(slack_client: Setting) -> None:
    slack, _, _ = slack_client
    form = {
        "token": "xoxb-1",
        "channel": "C1",
        "blocks": json.dumps([{"type": "markdown", "text": "**hi**"}]),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{slack.api_base_url}chat.postMessage", data=form) as answer,
    ):
        assert (await answer.json())["ok"]
    assert slack.thread("C1", None)[-1].text == "**hi**"


async def test_a_rate_limited_client_that_waits_is_not_complained_about(slack_client: Setting) -> None:
    slack, client, now = slack_client
    for _ in range(5):
        await client.chat_postMessage(channel="C1", text="x")
    assert await refused(client.chat_postMessage(channel="C1", text="x")) == "ratelimited"
    await client.chat_postMessage(channel="D1", text="another channel")
    now.at += 1
    await client.chat_postMessage(channel="C1", text="x")
    assert slack.complaints == []
    assert slack.refusals == ["chat.postMessage C1: 429"]


async def test_calling_before_retry_after_is_over_is_complained_about(slack_client: Setting) -> None:
    slack, client, now = slack_client
    for _ in range(5):
        await client.chat_postMessage(channel="C1", text="x")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C1", text="x")
    assert caught.value.response.headers["Retry-After"] == "1"
    now.at += 0.5
    assert await refused(client.chat_postMessage(channel="C1", text="x")) == "ratelimited"
    assert len(slack.complaints) == 1


async def test_a_mention_is_delivered_as_two_signed_events_of_one_message() -> None:
    async with workspace() as (slack, _, now), webhook() as gateway:
        said = await slack.say(gateway.url, channel="C1", user="U1", text="hi")
        verifier = SignatureVerifier("sign")
        verifier.clock.now = now  # type: ignore[method-assign]  # the clock of the SDK is made to be replaced
        assert all(verifier.is_valid_request(got.body, got.headers) for got in gateway.got)
        events: list[Any] = [got.json for got in gateway.got]
    assert {event["event"]["type"] for event in events} == {"message", "app_mention"}
    assert len({event["event_id"] for event in events}) == 2
    assert {event["event"]["ts"] for event in events} == {said.ts}
    assert {event["event"]["text"] for event in events} == {"<@U0BOT> hi"}
    assert said.thread == said.ts
    assert said.statuses == [200, 200]
    assert said.accepted


async def test_a_direct_message_is_delivered_once_without_mention() -> None:
    async with workspace() as (slack, _, _), webhook() as gateway:
        said = await slack.say(gateway.url, channel="D1", user="U1", text="hi")
        (event,) = [got.json["event"] for got in gateway.got]
    assert isinstance(event, dict)
    assert (event["channel_type"], event["text"], event["type"]) == ("im", "hi", "message")
    assert said.thread is None


async def test_a_failed_delivery_is_retried_until_it_is_taken() -> None:
    failures = iter([503, 503])

    def answer(_: Got) -> web.Response:
        return web.Response(status=next(failures, 200))

    async with workspace(retry_delays=(0.0, 0.01, 0.01)) as (slack, _, _), webhook(answer) as gateway:
        said = await slack.say(gateway.url, channel="D1", user="U1", text="hi")
        assert said.statuses == [503]
        await slack.settle()
        assert said.statuses == [503, 503, 200]
        assert [got.headers.get("x-slack-retry-num") for got in gateway.got] == [None, "1", "2"]


async def test_every_event_comes_again_when_redelivery_is_on() -> None:
    async with (
        workspace(redeliver=True, redeliver_within=(0.0, 0.01)) as (slack, _, _),
        webhook() as gateway,
    ):
        said = await slack.say(gateway.url, channel="D1", user="U1", text="hi")
        await slack.settle()
        first, second = gateway.got
        assert first.json["event_id"] == second.json["event_id"]
        assert second.headers["x-slack-retry-reason"] == "http_timeout"
        assert len(said.deliveries) == 2


async def test_a_bot_that_answers_its_own_post_is_complained_about() -> None:
    async with workspace(echo=True) as (slack, client, _), webhook(accepted) as gateway:
        await slack.say(gateway.url, channel="D1", user="U1", text="hi")
        await client.chat_postMessage(channel="D1", text="hello")
        await slack.settle()
        assert len(slack.complaints) == 1
        assert "own post" in slack.complaints[0]


async def test_faults_come_before_or_after_the_effect(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    slack.fail_next("chat.postMessage", error="internal_error")
    assert await refused(client.chat_postMessage(channel="C1", text="x")) == "internal_error"
    assert slack.thread("C1", None) == []
    slack.fail_next("chat.update", "drop_after_effect")
    posted = await client.chat_postMessage(channel="C1", text="before")
    # On a connection of its own: aiohttp repeats a call whose kept connection broke.
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer xoxb-1"}) as session:
        body = {"channel": "C1", "ts": posted["ts"], "text": "after"}
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"{slack.api_base_url}chat.update", json=body)
    assert slack.thread("C1", None)[-1].text == "after"


async def test_a_call_that_hangs_after_its_effect(slack_client: Setting) -> None:
    slack, _, _ = slack_client
    slack.fail_next("chat.postMessage", "timeout_after_effect")
    timeout = aiohttp.ClientTimeout(total=0.1)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Authorization": "Bearer xoxb-1"}) as session:
        with pytest.raises(TimeoutError):
            await session.post(f"{slack.api_base_url}chat.postMessage", json={"channel": "C1", "text": "x"})
    assert len(slack.thread("C1", None)) == 1


async def test_a_held_call_takes_effect_when_it_is_released(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    async with slack.hold("chat.postMessage") as hold:
        posting = asyncio.ensure_future(client.chat_postMessage(channel="C1", text="x"))
        await hold.reached()
        assert slack.thread("C1", None) == []
    await posting
    assert len(slack.thread("C1", None)) == 1


async def test_every_visible_change_is_told(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    seen: list[str] = []
    slack.on_change = lambda shown: seen.append(shown.text)
    thread, ts = await start(slack, client)
    await client.chat_stopStream(channel="C1", ts=ts)
    await client.chat_delete(channel="C1", ts=ts)
    assert seen == ["hi", "hello ", "hello ", "hello "]
    assert len(slack.thread("C1", thread)) == 1


async def test_the_stop_button_ends_the_threads_stream_and_tells_the_app() -> None:
    async with workspace() as (slack, client, _), webhook() as gateway:
        thread, ts = await start(slack, client)
        _, other = await start(slack, client)
        pressed = await slack.press_stop(gateway.url, channel="C1", thread_ts=thread, user="U1")
        event: Any = gateway.got[-1].json["event"]
        assert pressed.admission == "accepted"
        assert (event["type"], event["channel"], event["thread_ts"], event["user"]) == (
            "agent_session_stopped",
            "C1",
            thread,
            "U1",
        )
        assert event["streaming_message_ts"] == [ts]
        for late in (client.chat_appendStream, client.chat_stopStream):
            assert await refused(late(channel="C1", ts=ts, chunks=chunks("x"))) == "stopped_by_user"
        assert [shown.ts for shown in slack.open_streams()] == [other]
        await client.chat_update(channel="C1", ts=ts, text="what there is")
    assert slack.complaints == []


async def test_the_stop_button_is_there_while_the_session_is_processing(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    said = await slack.say(NOWHERE, channel="C1", user="U1", text="hi")
    where = {"channel": "C1", "thread_ts": said.ts, "user": "U1"}
    with pytest.raises(LookupError):
        await slack.press_stop(NOWHERE, **where)
    status = {"channel_id": "C1", "thread_ts": said.ts}
    await client.api_call("agents.sessions.setStatus", json={**status, "status": "processing"})
    for _ in range(2):
        await slack.press_stop(NOWHERE, **where)
    assert slack.sessions == {("C1", said.ts): "processing"}, "to change it is the app's business"
    await client.api_call("agents.sessions.setStatus", json={**status, "status": "active"})
    thread, ts = await start(slack, client)
    await client.chat_stopStream(channel="C1", ts=ts)
    for without in (said.ts, thread):
        with pytest.raises(LookupError):
            await slack.press_stop(NOWHERE, channel="C1", thread_ts=without, user="U1")


async def test_a_deleted_message_is_told_and_gone() -> None:
    async with workspace() as (slack, _, _), webhook() as gateway:
        said = await slack.say(gateway.url, channel="D1", user="U1", text="hi")
        await slack.take_back(gateway.url, said)
        event: Any = gateway.got[-1].json["event"]
        assert slack.thread("D1", None) == []
    assert (event["subtype"], event["deleted_ts"]) == ("message_deleted", said.ts)
    assert event["previous_message"]["user"] == "U1"


async def test_a_deleted_message_with_answers_leaves_a_tombstone() -> None:
    async with workspace() as (slack, client, _), webhook() as gateway:
        said = await slack.say(gateway.url, channel="C1", user="U1", text="hi")
        await client.chat_postMessage(channel="C1", thread_ts=said.ts, text="hello")
        await slack.take_back(gateway.url, said)
        event: Any = gateway.got[-1].json["event"]
        found = await client.conversations_replies(channel="C1", ts=said.ts)
        assert [message.get("subtype") for message in found["messages"]] == ["tombstone", None]
    assert event["subtype"] == "message_changed"
    assert (event["message"]["subtype"], event["message"]["ts"]) == ("tombstone", said.ts)
    assert event["previous_message"]["text"] == "hi"


async def test_a_slash_command_is_a_signed_form_and_shows_its_answer() -> None:
    def answer(got: Got) -> web.Response:
        return web.json_response({"text": f"got {len(got.body)} bytes"})

    async with workspace() as (slack, _, now), webhook(answer) as gateway:
        status, _, body = await slack.command(gateway.url, "/stop", channel="D1", user="U1")
        (got,) = gateway.got
        verifier = SignatureVerifier("sign")
        verifier.clock.now = now  # type: ignore[method-assign]  # the clock of the SDK is made to be replaced
        assert verifier.is_valid_request(got.body, got.headers)
    form = parse_qs(got.body.decode())
    assert (form["command"], form["channel_id"], form["user_id"]) == (["/stop"], ["D1"], ["U1"])
    assert (status, json.loads(body)) == (200, {"text": f"got {len(got.body)} bytes"})


async def test_a_single_call_is_held_and_named_and_the_next_one_passes(slack_client: Setting) -> None:
    slack, client, _ = slack_client
    async with slack.hold("chat.postMessage", most=1) as hold:
        late = asyncio.create_task(client.chat_postMessage(channel="D1", text="late"))
        await hold.reached()
        await client.chat_postMessage(channel="D1", text="in time")
        assert hold.callers == ["127.0.0.1"]
    await late
    assert [shown.text for shown in slack.thread("D1", None)] == ["in time", "late"]


async def test_what_changes_and_what_is_refused_tells_which_call_it_is(slack_client: Setting) -> None:
    slack, client, now = slack_client
    told: list[tuple[str, str, float]] = []

    def note(_: object) -> None:
        assert slack.serving is not None
        told.append((slack.serving.method, slack.serving.caller, slack.serving.arrived_at))

    slack.on_change = slack.on_refusal = note
    posted = await client.chat_postMessage(channel="D1", text="hello")
    with pytest.raises(SlackApiError):
        await client.chat_appendStream(channel="D1", ts=str(posted["ts"]), markdown_text="more")
    assert told == [("chat.postMessage", "127.0.0.1", now.at), ("chat.appendStream", "127.0.0.1", now.at)]
    slack.complaints.clear()
