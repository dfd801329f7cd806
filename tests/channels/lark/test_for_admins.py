"""What a Lark bot tells its admin, what it is told to say unasked, and requests with which it is tested."""

from __future__ import annotations

import time

import orjson
import pytest

from channels.lark import LarkCredentials
from channels.port import ChannelPolicy
from channels.received import Challenge, Rejected, WebhookRequest
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage, stable_id
from conversation.outbound import DeliveryDelayedError, PartRequest, unsaved
from conversation.turn import part_id
from gateway.demo.lark import LarkStandin
from tests.channels.lark.conftest import MakeChannel
from tests.channels.lark.signing import BY_TOKEN, CREDENTIALS, NOW, arriving, encrypted, signed

CHAT = "oc_1"


@pytest.mark.parametrize("credentials", [CREDENTIALS, BY_TOKEN, LarkCredentials("cli_1", "s", "key")])
def test_a_probe_is_a_message_that_the_bot_takes_for_authentic(
    make_channel: MakeChannel, credentials: LarkCredentials
) -> None:
    channel = make_channel(credentials=credentials)
    probe = channel.probe("在吗?", NOW)
    assert probe is not None
    received = channel.receive(probe)
    assert isinstance(received, InboundMessage)
    assert (received.text, received.sent_at) == ("在吗?", NOW)
    assert channel.seen_events == frozenset()


def test_a_probe_is_encrypted_where_there_is_a_key_and_cannot_be_changed(make_channel: MakeChannel) -> None:
    channel = make_channel()
    probe = channel.probe("hello", NOW)
    assert probe is not None
    assert set(orjson.loads(probe.body)) == {"encrypt"}
    forged = WebhookRequest(probe.headers, probe.body + b" ", NOW)
    assert isinstance(channel.receive(forged), Rejected)


@pytest.mark.parametrize("credentials", [CREDENTIALS, BY_TOKEN])
def test_a_challenge_probe_is_answered_with_its_challenge(
    make_channel: MakeChannel, credentials: LarkCredentials
) -> None:
    channel = make_channel(credentials=credentials)
    probe = channel.challenge_probe("xyz", NOW)
    assert probe is not None
    received = channel.receive(probe)
    assert isinstance(received, Challenge)
    assert orjson.loads(received.body) == {"challenge": "xyz"}


async def test_a_draft_has_neither_probes_nor_names_nor_scopes(make_channel: MakeChannel) -> None:
    draft = make_channel(credentials=None)
    assert draft.probe("hello", NOW) is None
    assert draft.challenge_probe("xyz", NOW) is None
    assert await draft.named("om_1") is None
    assert await draft.missing_scopes() is None


def test_types_of_authentic_events_are_remembered(make_channel: MakeChannel) -> None:
    channel = make_channel()
    channel.receive(arriving("p2p_text"))
    other = {"schema": "2.0", "header": {"event_type": "im.chat.updated_v1", "app_id": "cli_made_up"}}
    other["header"]["token"] = CREDENTIALS.verification_token  # type: ignore[index]
    channel.receive(signed(encrypted(orjson.dumps(other))))
    channel.receive(
        signed(encrypted(orjson.dumps(other | {"header": {"event_type": "forged", "token": "no"}})))
    )
    assert channel.seen_events == {"im.message.receive_v1", "im.chat.updated_v1"}


async def test_scopes_that_are_needed_and_not_granted_are_named(
    platform: LarkStandin, make_channel: MakeChannel
) -> None:
    channel = make_channel(api_base_url=platform.api_base_url)
    assert await channel.missing_scopes() == ()
    platform.scopes["im:message:send_as_bot"] = 2
    del platform.scopes["im:message.p2p_msg:readonly"]
    platform.scopes["cardkit:card:write"] = 2
    assert await channel.missing_scopes() == ("im:message.p2p_msg:readonly", "im:message:send_as_bot")
    platform.scopes["im:message"] = 1
    assert await channel.missing_scopes() == ("im:message.p2p_msg:readonly",)


async def test_a_platform_that_does_not_tell_scopes_is_not_guessed_at(
    platform: LarkStandin, make_channel: MakeChannel
) -> None:
    channel = make_channel(api_base_url=platform.api_base_url)
    platform.fail_next("application.v6.scope.list", error=99991672)
    assert await channel.missing_scopes() is None


async def test_a_message_is_named_by_its_id(make_channel: MakeChannel) -> None:
    named = await make_channel().named(" om_abc ")
    assert named is not None
    assert named.turn_id == stable_id("lark", "helpdesk", "om_abc")
    assert await make_channel().named("https://applink.feishu.cn/client/message/link/open?token=x") is None


@pytest.mark.parametrize("stream", [True, False])
async def test_what_answers_no_message_stands_in_the_chat_once(
    platform: LarkStandin, make_channel: MakeChannel, *, stream: bool
) -> None:
    channel = make_channel(ChannelPolicy(stream=stream), api_base_url=platform.api_base_url)
    platform.add_chat(CHAT)
    key = ConversationKey("lark", "helpdesk", "demo-tenant", CHAT, "omt_thread")
    saved: list[str] = []

    async def save(ref: str) -> None:
        saved.append(ref)

    part = PartRequest(channel.address_of(key, time.time()), part_id("turn", 0), 1, save)
    platform.fail_next("im.v1.message.create", "drop_after_effect")
    if stream:
        with pytest.raises(DeliveryDelayedError):
            await channel.outbound.open(part, "By the way")
    else:
        live = await channel.outbound.open(part, "By the way")
        with pytest.raises(DeliveryDelayedError):
            await live.close("By the way, all is well.")
    later = PartRequest(part.to, part.id, 2, save)
    live = await channel.outbound.resume(later, saved[-1])
    await live.close("By the way, all is well.")
    assert [one.text for one in platform.chat(CHAT)] == ["By the way, all is well."]


def test_a_conversation_named_by_its_first_message_goes_on_under_that(make_channel: MakeChannel) -> None:
    channel = make_channel()
    key = ConversationKey("lark", "helpdesk", "demo-tenant", CHAT, "om_first")
    assert channel.address_of(key, time.time()).message == "om_first"
    assert channel.address_of(key, time.time()).thread == ""


async def test_what_is_held_back_is_told_in_seconds(platform: LarkStandin, make_channel: MakeChannel) -> None:
    channel = make_channel(api_base_url=platform.api_base_url)
    assert channel.held_back == 0
    platform.add_chat(CHAT)
    platform.fail_next("cardkit.v1.card.create", error=99991400, retry_after=9)
    key = ConversationKey("lark", "helpdesk", "demo-tenant", CHAT)
    part = PartRequest(channel.address_of(key, time.time()), part_id("turn", 0), 1, unsaved)
    begun = time.monotonic()
    with pytest.raises(DeliveryDelayedError):
        await channel.outbound.open(part, "hello")
    assert 9 - (time.monotonic() - begun) <= channel.held_back + 0.1 <= 9.2
