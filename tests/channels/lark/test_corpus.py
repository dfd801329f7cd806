"""What becomes of everything that Lark may send; a new kind of payload is a file and a line here."""

from __future__ import annotations

import pytest

from channels.lark import LarkCredentials
from channels.port import ChannelPolicy
from channels.received import (
    Challenge,
    Ignored,
    Later,
    Ordered,
    Pressed,
    Received,
    Rejected,
    StopReply,
    TakenBack,
    Visited,
)
from conversation.messages import InboundMessage
from tests.channels.lark.conftest import MakeChannel
from tests.channels.lark.signing import (
    BY_TOKEN,
    CREDENTIALS,
    NOW,
    PAYLOADS,
    arriving,
    encrypted,
    payload,
    signed,
    unsigned,
)

OUTCOMES = {
    "bot_added": "visited: group",
    "bot_deleted": "ignored: bot_removed",
    "card_bad": "pressed: bad, by ou_alice, in zh",
    "card_foreign": "ignored: unsupported_interaction",
    "card_form": "ignored: unsupported_interaction",
    "card_good": "pressed: good, by ou_alice, in zh",
    "card_made_up": "ignored: unsupported_interaction",
    "card_retry": "pressed: retry, by ou_alice, in zh",
    "card_stop": "stop",
    "card_stranger": "pressed: good, by ou_guest, in zh",
    "card_value_as_text": "pressed: good, by ou_alice, in en",
    "card_without_place": "ignored: malformed",
    "content_no_json": "ignored: malformed",
    "external_user": "message: Hello there",
    "group_from_bot": "ignored: bot_message",
    "group_mention": "message: ask @Bob about 报表",
    "group_mention_all": "ignored: not_mentioned",
    "group_mention_alone": "asks: help",
    "group_mention_of_another": "ignored: not_mentioned",
    "group_mention_untyped": "message: hi",
    "group_post": "message: Weekly report\n please read [this](https://example.com/r)\n@Bob:SMILE:\n\n```python\n"
    "print(1)\n```\n\n---\n[image]! [image image image:img_1]",
    "group_sticker": "ignored: not_mentioned",
    "group_stop": "stop",
    "group_topic": "message: and in the topic?",
    "group_unaddressed": "ignored: not_mentioned",
    "menu_agent": "ordered, asks: help",
    "menu_agent_named": "ordered, asks: help",
    "menu_foreign": "ignored: unknown_menu_key",
    "menu_help": "ordered, asks: help",
    "menu_new": "ordered, asks: help",
    "menu_stop": "ordered, asks: help",
    "message_read": "ignored: message_read",
    "other_app": "ignored: other_app",
    "other_subscribed_event": "ignored: unsupported_event",
    "p2p_agent": "command: bind research",
    "p2p_audio": "message:  (not read: voice)",
    "p2p_calendar": "message: [calendar event] Stand-up (2027-01-15 09:00 UTC – 2027-01-15 09:30 UTC)",
    "p2p_chat_entered": "visited",
    "p2p_empty": "ignored: empty_message",
    "p2p_file": "message:  [file 季度报表.xlsx file:file_v3_0093]",
    "p2p_folder": "message:  (not read: Contracts)",
    "p2p_help": "asks: help",
    "p2p_hongbao": "message:  (not read: other)",
    "p2p_image": "message:  [image image image:img_v2]",
    "p2p_interactive": "message: [card]\nWeekly review\nApprove by [Friday](https://example.com/r)@Bob\n[image]\nApprove\n---",
    "p2p_interactive_empty": "message:  (not read: card)",
    "p2p_interactive_flat": "message: [card]\none line",
    "p2p_location": "message: [location] 上海市浦东新区世纪大道 (31.23, 121.50)",
    "p2p_media": "message:  (not read: holiday.mp4)",
    "p2p_merge_forward": "message:  [file forwarded messages.txt forwarded:]",
    "p2p_new": "command: clear",
    "p2p_post_with_pictures": "message: Two pictures\nbefore[image]\n[image][video]"
    " [image image 1 image:img_v3_one] [image image 2 image:img_v3_two] (not read: video)",
    "p2p_share_calendar_event": "message: [calendar event] Stand-up (2027-01-15 09:00 UTC – 2027-01-15 09:30 UTC)",
    "p2p_share_chat": "message:  (not read: chat)",
    "p2p_share_user": "message:  (not read: contact)",
    "p2p_sticker": "message:  (not read: sticker)",
    "p2p_stop": "stop",
    "p2p_system": "ignored: system_message",
    "p2p_text": "message: Hello there",
    "p2p_thread": "message: Hello there",
    "p2p_todo": "message: [task] Send the offer (due 2027-01-16 08:00 UTC)",
    "p2p_unknown_type": "message:  (not read: other)",
    "p2p_video_chat": "message: [video meeting] Release review (2027-01-15 09:00 UTC)",
    "p2p_vote": "message: [poll] Where to?\n- Sea\n- Mountains",
    "reaction_created": "ignored: reaction",
    "reaction_deleted": "ignored: reaction",
    "reaction_of_the_app": "ignored: reaction",
    "recalled": "taken back",
    "url_verification": "challenge",
    "v1_app_ticket": "ignored: unsupported_event",
    "v1_message": "ignored: unsupported_event",
    "v1_other_app": "ignored: other_app",
    "v1_p2p_chat_create": "visited",
    "wrong_types": "ignored: malformed",
}


async def outcome(received: Received) -> str:  # noqa: PLR0911 - one for each kind
    match received:
        case InboundMessage(command=command) if command is not None:
            return f"command: {command.kind} {command.agent}".strip()
        case InboundMessage(asks=asks) if asks:
            return f"asks: {asks}"
        case InboundMessage(text=text, declined=declined, attachments=files):
            held = "".join(f" [{file.kind} {file.name} {file.ref}]" for file in files)
            return f"message: {text}{held}" + (f" (not read: {', '.join(declined)})" if declined else "")
        case Ordered(message):
            return f"ordered, {await outcome(message)}"
        case Later(meant):
            return await outcome(await meant())
        case StopReply():
            return "stop"
        case TakenBack():
            return "taken back"
        case Pressed():
            return f"pressed: {received.button.kind}, by {received.by.id}, in {received.locale}"
        case Visited():
            return "visited: group" if received.group else "visited"
        case Challenge():
            return "challenge"
        case Ignored(reason) | Rejected(_, reason):
            return f"{type(received).__name__.lower()}: {reason}"
        case _:
            return type(received).__name__


def test_every_payload_has_an_outcome() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == set(OUTCOMES)


@pytest.mark.parametrize("credentials", [CREDENTIALS, BY_TOKEN], ids=["signed", "by token"])
@pytest.mark.parametrize(("name", "becomes"), OUTCOMES.items())
async def test_an_event_becomes(
    make_channel: MakeChannel, credentials: LarkCredentials, name: str, becomes: str
) -> None:
    channel = make_channel(credentials=credentials)
    request = arriving(name) if credentials is CREDENTIALS else unsigned(payload(name))
    assert await outcome(channel.receive(request)) == becomes


# The bot's menu tells the person and no chat.


@pytest.mark.parametrize("place", ["p2p_text", "p2p_chat_entered"])
@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("menu_new", "ordered, command: clear"),
        ("menu_stop", "stop"),
        ("menu_help", "ordered, asks: help"),
        ("menu_agent", "ordered, asks: agents"),
        ("menu_agent_named", "ordered, command: bind research"),
    ],
)
async def test_the_menu_means_the_direct_message_that_is_known(
    make_channel: MakeChannel, place: str, name: str, becomes: str
) -> None:
    channel = make_channel()
    channel.receive(arriving(place))
    received = channel.receive(arriving(name))
    assert isinstance(received, Later)
    meant = await received.meant()
    assert await outcome(meant) == becomes
    there = make_channel().receive(arriving("p2p_text"))
    assert isinstance(there, InboundMessage)
    assert isinstance(meant, Ordered | StopReply)
    assert (meant.message.key if isinstance(meant, Ordered) else meant.key) == there.key


async def test_a_menu_of_which_no_chat_is_known_is_answered_with_help_to_the_person(
    make_channel: MakeChannel,
) -> None:
    received = make_channel().receive(arriving("menu_new"))
    assert isinstance(received, Later)
    meant = await received.meant()
    assert isinstance(meant, Ordered)
    assert (meant.message.asks, meant.message.address.chat) == ("help", "ou_alice")


async def test_the_self_tests_person_has_no_direct_message(make_channel: MakeChannel) -> None:
    channel = make_channel()
    probe = channel.probe("hello", NOW)
    assert probe is not None
    assert isinstance(channel.receive(probe), InboundMessage)
    own = payload("menu_new").replace(b"ou_alice", b"ou_selftest")
    assert await outcome(channel.receive(signed(encrypted(own)))) == "ordered, asks: help"


# Who is answered in which language, and who is not.


@pytest.mark.parametrize(
    ("name", "locale"), [("p2p_sticker", "zh"), ("p2p_chat_entered", "zh"), ("p2p_text", "en")]
)
def test_who_wrote_no_word_is_answered_in_the_language_of_the_region(
    make_channel: MakeChannel, name: str, locale: str
) -> None:
    received = make_channel(ChannelPolicy(wordless="zh")).receive(arriving(name))
    assert isinstance(received, InboundMessage | Visited)
    assert received.locale == locale


def test_what_nobody_said_to_the_bot_is_not_declined(make_channel: MakeChannel) -> None:
    everything = make_channel(ChannelPolicy(respond_to="all"))
    assert everything.receive(arriving("group_sticker")) == Ignored("unsupported_message")
    addressed = payload("group_mention").replace(b'"message_type": "text"', b'"message_type": "sticker"')
    received = everything.receive(signed(encrypted(addressed)))
    assert isinstance(received, InboundMessage)
    assert received.declined == ("sticker",)


@pytest.mark.parametrize(("per", "several"), [("auto", False), ("chat", True), ("thread", True)])
def test_a_conversation_that_people_share_is_a_group(
    make_channel: MakeChannel, per: str, several: bool
) -> None:
    received = make_channel(ChannelPolicy(conversation_per=per)).receive(arriving("group_mention"))  # type: ignore[arg-type]  # from the table
    assert isinstance(received, InboundMessage)
    assert received.group is several
    direct = make_channel(ChannelPolicy(conversation_per=per)).receive(arriving("p2p_text"))  # type: ignore[arg-type]  # from the table
    assert isinstance(direct, InboundMessage)
    assert not direct.group
