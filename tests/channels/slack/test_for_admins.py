"""What a Slack bot tells its admin, what it is told to say unasked, and requests with which it is tested."""

from __future__ import annotations

import time

import orjson
import pytest

from channels.port import ChannelPolicy
from channels.received import Challenge, Ignored, Rejected, WebhookRequest
from channels.slack.manifest import SCOPES
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.outbound import DeliveryUnknownError, PartRequest, ShownPart, unsaved
from conversation.turn import part_id
from gateway.demo.slack import SlackStandin
from tests.channels.slack.conftest import MakeChannel
from tests.channels.slack.signing import NOW, payload, signed


async def nobody_else() -> int | None:
    return 1


def test_a_probe_is_a_message_that_only_this_bot_takes_for_authentic(make_channel: MakeChannel) -> None:
    channel = make_channel()
    probe = channel.probe("Are you there?", NOW)
    assert probe is not None
    received = channel.receive(probe)
    assert isinstance(received, InboundMessage)
    assert (received.text, received.sent_at) == ("Are you there?", NOW)
    forged = WebhookRequest(probe.headers, probe.body.replace(b"there", b"gone!"), NOW)
    assert isinstance(channel.receive(forged), Rejected)
    assert channel.seen_events == frozenset()


def test_two_probes_are_two_messages(make_channel: MakeChannel) -> None:
    channel = make_channel()
    turns = set()
    for at in (NOW, NOW + 0.001):
        probe = channel.probe("hello", at)
        assert probe is not None
        received = channel.receive(probe)
        assert isinstance(received, InboundMessage)
        turns.add(received.turn_id)
    assert len(turns) == 2


def test_a_challenge_probe_is_answered_with_its_challenge(make_channel: MakeChannel) -> None:
    channel = make_channel()
    probe = channel.challenge_probe("xyz", NOW)
    assert probe is not None
    received = channel.receive(probe)
    assert isinstance(received, Challenge)
    assert orjson.loads(received.body) == {"challenge": "xyz"}


async def test_a_draft_has_neither_probes_nor_links_nor_scopes(make_channel: MakeChannel) -> None:
    draft = make_channel(draft=True)
    assert draft.probe("hello", NOW) is None
    assert draft.challenge_probe("xyz", NOW) is None
    assert await draft.named("https://x.slack.com/archives/C1234/p1699999999123456") is None
    assert await draft.missing_scopes() is None


def test_types_of_events_are_named_as_the_apps_settings_name_them(make_channel: MakeChannel) -> None:
    channel = make_channel()
    channel.receive(signed(payload("app_mention")))
    channel.receive(signed(payload("message_im")))
    assert isinstance(channel.receive(signed(b'{"type":"event_callback","event":{"type":"new"}}')), Ignored)
    assert channel.seen_events == {"app_mention", "message.im", "new"}
    channel.receive(signed(payload("message_im"), secret="wrong"))
    for number in range(100):
        body = orjson.dumps({"type": "event_callback", "event": {"type": f"new{number}"}})
        channel.receive(signed(body))
    assert len(channel.seen_events) == 50


async def test_scopes_that_are_needed_and_not_granted_are_named(
    slack: SlackStandin, make_channel: MakeChannel
) -> None:
    channel = make_channel(api_base_url=slack.api_base_url)
    assert await channel.missing_scopes() == ()
    slack.scopes -= {"im:history", "chat:write", "commands"}
    assert await channel.missing_scopes() == ("chat:write", "im:history")
    assert {need.name for need in SCOPES if need.optional} == {
        "assistant:write",
        "channels:read",
        "commands",
        "files:read",
        "files:write",
        "reactions:write",
        "users:read",
    }


@pytest.mark.parametrize(
    ("link", "ts"),
    [
        ("https://demo.slack.com/archives/C1234/p1699999999123456", "1699999999.123456"),
        (" https://a.enterprise.slack.com/archives/C1234/p1699999999123456/ ", "1699999999.123456"),
        (
            "https://demo.slack.com/archives/C1234/p1699999999123456?thread_ts=1699999990.000001&cid=C1234",
            "1699999999.123456",
        ),
    ],
)
async def test_a_link_names_the_turn_of_its_message(
    slack: SlackStandin, make_channel: MakeChannel, link: str, ts: str
) -> None:
    channel = make_channel(api_base_url=slack.api_base_url)
    named = await channel.named(link)
    assert named is not None
    event = orjson.loads(payload("app_mention"))
    event["team_id"] = "T0DEMO"
    event["event"] |= {"channel": "C1234", "ts": ts, "thread_ts": "1699999990.000001"}
    received = channel.receive(signed(orjson.dumps(event)))
    assert isinstance(received, InboundMessage)
    assert named.turn_id == received.turn_id
    if "thread_ts" in link:
        assert named.key == received.key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "https://demo.slack.com/archives/C1234",
        "https://evil.example/archives/C1234/p1699999999123456",
        "https://slack.com.evil.example/archives/C1234/p1699999999123456",
        "http://demo.slack.com/archives/C1234/p1699999999123456",
        "https://demo.slack.com/archives/C1234/p16999999991234567890",
        "https://[/archives/C1234/p1699999999123456",
    ],
)
async def test_what_is_no_link_names_nothing_and_nobody_is_asked(
    make_channel: MakeChannel, text: str
) -> None:
    assert await make_channel().named(text) is None


async def test_a_link_to_a_thread_that_is_not_a_thread_names_its_message(
    slack: SlackStandin, make_channel: MakeChannel
) -> None:
    channel = make_channel(api_base_url=slack.api_base_url)
    link = "https://demo.slack.com/archives/C1234/p1699999999123456"
    plain, odd = await channel.named(link), await channel.named(link + "?thread_ts=<script>")
    assert plain is not None
    assert plain == odd


@pytest.mark.parametrize("thread", [True, False])
async def test_what_answers_no_message_stands_in_its_conversation_and_is_found_again(
    slack: SlackStandin, make_channel: MakeChannel, *, thread: bool
) -> None:
    channel = make_channel(api_base_url=slack.api_base_url)
    parent = slack._add("C1", "person", "U1", None)
    key = ConversationKey(
        "slack", "helpdesk", "T0DEMO", "C1" if thread else "D1", parent.ts if thread else ""
    )
    part = PartRequest(channel.address_of(key, time.time()), part_id("turn", 0), 1, unsaved)
    slack.fail_next("chat.postMessage", "drop_after_effect")
    with pytest.raises(DeliveryUnknownError):
        await channel.outbound.open(part, "By the way")
    ref = await channel.outbound.find(part)
    assert ref is not None
    live = await channel.outbound.resume(part, ref)
    await live.close("By the way, all is well.")
    shown = [one for one in slack.thread(key.chat, key.thread or None) if one.author == "bot"]
    assert [one.text for one in shown] == ["By the way, all is well."]
    other = PartRequest(part.to, part_id("other", 0), 1, unsaved)
    assert await channel.outbound.find(other) is None
    repaired = ShownPart(part, ref, "By the way, all is well.")
    assert await channel.outbound.repair([repaired], (), nobody_else)
    assert len([one for one in slack.thread(key.chat, key.thread or None) if one.author == "bot"]) == 1


async def test_what_is_held_back_is_told_in_seconds(slack: SlackStandin, make_channel: MakeChannel) -> None:
    channel = make_channel(ChannelPolicy(conversation_per="chat"), api_base_url=slack.api_base_url)
    assert channel.held_back == 0
    slack.fail_next("chat.postMessage", status=429, retry_after=7)
    key = ConversationKey("slack", "helpdesk", "T0DEMO", "D1")
    part = PartRequest(channel.address_of(key, time.time()), part_id("turn", 0), 1, unsaved)
    begun = time.monotonic()
    with pytest.raises(Exception, match="7 s"):
        await channel.outbound.open(part, "hello")
    assert 7 - (time.monotonic() - begun) <= channel.held_back + 0.1 <= 7.2
