"""What becomes of everything that Slack may send; a new kind of payload is a file and a line here."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from channels.received import (
    Challenge,
    Edited,
    Ignored,
    Ordered,
    Pressed,
    Received,
    Rejected,
    Revoked,
    StopReply,
    TakenBack,
    Told,
    Visited,
)
from conversation.messages import InboundMessage
from tests.channels.slack.conftest import MakeChannel
from tests.channels.slack.signing import PAYLOADS, signed

EVENTS = {
    "agent_session_stopped": "stop",
    "agent_session_title_changed": "ignored: unsupported_event",
    "app_context_changed": "ignored: unsupported_event",
    "app_home_opened_home": "ignored: home_tab",
    "app_home_opened_messages": "visited",
    "app_mention": "message: is it everything a river should be?",
    "app_mention_edited_in": "edited or new",
    "app_mention_in_thread": "message: and you, <@U0LAN0Z90>? See the docs (https://example.com/a?b=1&c=2) &"
    " #general",
    "app_mention_new": "command: clear",
    "app_mention_stop": "stop",
    "app_mention_stop_top_level": "ignored: nothing_to_stop",
    "app_mention_stop_twin": "stop",
    "app_mention_twin": "message: is it everything a river should be?",
    "app_rate_limited": "ignored: app_rate_limited",
    "app_uninstalled": "revoked: app_uninstalled",
    "assistant_thread_context_changed": "ignored: unsupported_event",
    "assistant_thread_started": "ignored: unsupported_event",
    "channel_archive": "ignored: unsupported_event",
    "link_shared": "ignored: unsupported_event",
    "member_joined_channel": "ignored: unsupported_event",
    "message_archive_with_text": "message: What is in there? (with: backup.tar.gz)",
    "message_assistant_app_thread": "ignored: unsupported_subtype",
    "message_bot": "ignored: bot_message",
    "message_bot_add": "ignored: unsupported_subtype",
    "message_bot_subtype": "ignored: bot_message",
    "message_changed": "edited: new",
    "message_changed_into_stop": "ignored: edited",
    "message_changed_mention": "edited: new",
    "message_changed_own": "ignored: own_message",
    "message_changed_replied": "ignored: unchanged",
    "message_changed_unaddressed": "ignored: not_mentioned",
    "message_changed_unfurled": "ignored: unchanged",
    "message_channel_join": "ignored: unsupported_subtype",
    "message_channel_topic": "ignored: unsupported_subtype",
    "message_channel_unaddressed": "ignored: not_mentioned",
    "message_clip_and_archive": "message:  (with: backup.tar.gz) (not read: video)",
    "message_deleted": "taken back",
    "message_deleted_own": "ignored: own_message",
    "message_ekm_access_denied": "ignored: unsupported_subtype",
    "message_enterprise": "message: hello",
    "message_external_user": "message: is it everything a river should be?",
    "message_file_connect": "message: Look at this (with: F0CONNECT)",
    "message_file_share": "message: What does this say? (with: scan.pdf)",
    "message_file_share_empty": "message:  (with: F0S43P1CZ)",
    "message_group_mention": "message: 请帮我写周报",
    "message_huddle_thread": "ignored: unsupported_subtype",
    "message_im": "message: How do I reset my password?",
    "message_im_agent": "asks: agents",
    "message_im_agent_named": "command: bind research",
    "message_im_help": "asks: help",
    "message_im_new": "command: clear",
    "message_im_stop": "stop",
    "message_im_thread": "message: And on my phone?",
    "message_me_message": "ignored: unsupported_subtype",
    "message_mpim_mention": "message: hey what now",
    "message_own": "ignored: own_message",
    "message_pinned_item": "ignored: unsupported_subtype",
    "message_reminder_add": "ignored: unsupported_subtype",
    "message_replied": "ignored: unsupported_subtype",
    "message_thread_broadcast": "message: for everyone",
    "message_tombstone": "taken back",
    "message_voice": "message:  (not read: voice)",
    "reaction_added": "ignored: unsupported_event",
    "tokens_revoked": "revoked: tokens_revoked",
    "tokens_revoked_user": "ignored: user_token_revoked",
    "url_verification": "challenge",
    "user_change": "ignored: unsupported_event",
}

INTERACTIONS = {
    "block_actions_bad": "pressed: bad, by U061F7AUR",
    "block_actions_foreign": "ignored: unsupported_interaction",
    "block_actions_good": "pressed: good, by U061F7AUR",
    "block_actions_made_up": "ignored: unsupported_interaction",
    "block_actions_retry": "pressed: retry, by U061F7AUR",
    "block_actions_stranger": "pressed: good, by U0GUEST",
    "message_action": "ignored: unsupported_interaction",
    "shortcut": "ignored: unsupported_interaction",
    "view_closed": "ignored: unsupported_interaction",
    "view_submission": "ignored: unsupported_interaction",
}

COMMANDS = {
    "agent": "ordered, asks: agents",
    "agent_named": "ordered, command: bind research",
    "foreign": "ignored: unsupported_interaction",
    "help": "told: 给我发消息",
    "help_in_channel": "told: Write to me",
    "new": "ordered, command: clear",
    "new_in_channel": "ignored: no_conversation",
    "new_of_one_bot": "ordered, command: clear",
    "stop": "stop",
}


def outcome(received: Received) -> str:  # noqa: PLR0911 - one for each kind
    match received:
        case InboundMessage(command=command) if command is not None:
            return f"command: {command.kind} {command.agent}".strip()
        case InboundMessage(asks=asks) if asks:
            return f"asks: {asks}"
        case InboundMessage(text=text, declined=declined, attachments=files):
            brought = f" (with: {', '.join(file.name for file in files)})" if files else ""
            return f"message: {text}{brought}" + (f" (not read: {', '.join(declined)})" if declined else "")
        case Edited(message, or_new):
            assert message.edited_at
            return "edited or new" if or_new else f"edited: {message.text}"
        case Ordered(message):
            return f"ordered, {outcome(message)}"
        case Told(body):
            return f"told: {json.loads(body)['text']}"
        case StopReply():
            return "stop"
        case TakenBack():
            return "taken back"
        case Pressed():
            return f"pressed: {received.button.kind}, by {received.by.id}"
        case Visited():
            return "visited"
        case Revoked(what):
            return f"revoked: {what}"
        case Challenge():
            return "challenge"
        case Ignored(reason) | Rejected(_, reason):
            return f"{type(received).__name__.lower()}: {reason}"
        case _:
            return type(received).__name__


def names(folder: str) -> set[str]:
    return {path.stem for path in (PAYLOADS / folder).glob("*.json")}


def test_every_payload_has_an_outcome() -> None:
    assert names(".") == set(EVENTS)
    assert names("interactions") == set(INTERACTIONS)
    assert names("commands") == set(COMMANDS)


@pytest.mark.parametrize(("name", "becomes"), EVENTS.items())
async def test_an_event_becomes(make_channel: MakeChannel, name: str, becomes: str) -> None:
    assert outcome(make_channel().receive(signed((PAYLOADS / f"{name}.json").read_bytes()))) == becomes


@pytest.mark.parametrize(("name", "becomes"), INTERACTIONS.items())
async def test_an_interaction_becomes(make_channel: MakeChannel, name: str, becomes: str) -> None:
    body = urlencode({"payload": (PAYLOADS / "interactions" / f"{name}.json").read_text("utf-8")}).encode()
    assert outcome(make_channel().receive(signed(body))) == becomes


@pytest.mark.parametrize(("name", "becomes"), COMMANDS.items())
async def test_a_slash_command_becomes(make_channel: MakeChannel, name: str, becomes: str) -> None:
    body = urlencode(json.loads((PAYLOADS / "commands" / f"{name}.json").read_text("utf-8"))).encode()
    assert outcome(make_channel().receive(signed(body))).startswith(becomes)
