"""Events as Slack sends them, in their signed envelope, and slash commands."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import orjson

from gateway.demo.slack_blocks import Json
from gateway.demo.standin import Clock, Shown

Kind = Literal["channel", "im"]

TOMBSTONE = "This message was deleted."


@dataclass(frozen=True, slots=True)
class Workspace:
    """Who the bot is, and what signs its events."""

    team: str
    app_id: str
    bot_user: str
    bot_id: str
    signing_secret: str
    clock: Clock
    organisation: str = ""
    """By whose installation the workspace has the app, if not by its own."""

    def signed(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(self.clock()))
        base = b"v0:" + timestamp.encode() + b":" + body
        digest = hmac.new(self.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


def message_event(shown: Shown, kind: Kind, text: str, team: str) -> Json:
    return {
        **_said(shown, text, team),
        "type": "message",
        "client_msg_id": str(uuid.uuid4()),
        "channel_type": kind,
    }


def mention_event(shown: Shown, text: str, team: str) -> Json:
    return {**_said(shown, text, team), "type": "app_mention"}


def bot_event(shown: Shown, kind: Kind, workspace: Workspace, *, edited: bool = False) -> Json:
    """The bot's own post as it comes back: without subtype, but with bot_id; an edit as message_changed."""
    message = {
        **_said(shown, shown.text, workspace.team),
        "type": "message",
        "bot_id": workspace.bot_id,
        "app_id": workspace.app_id,
    }
    if not edited:
        return {**message, "channel_type": kind}
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": shown.chat,
        "channel_type": kind,
        "message": message,
        "previous_message": message,
        "ts": f"{workspace.clock():.6f}",
        "event_ts": f"{workspace.clock():.6f}",
    }


def deletion_event(shown: Shown, kind: Kind, workspace: Workspace, *, answered: bool) -> Json:
    """A person's message is gone; one with answers in its thread leaves a tombstone, and was "changed"."""
    now = f"{workspace.clock():.6f}"
    event: Json = {
        "type": "message",
        "hidden": True,
        "channel": shown.chat,
        "channel_type": kind,
        "previous_message": {**_said(shown, shown.text, workspace.team), "type": "message"},
        "ts": now,
        "event_ts": now,
    }
    if not answered:
        return {**event, "subtype": "message_deleted", "deleted_ts": shown.ts}
    tombstone: Json = {
        "type": "message",
        "subtype": "tombstone",
        "user": "USLACKBOT",
        "text": TOMBSTONE,
        "hidden": True,
        "ts": shown.ts,
        "thread_ts": shown.ts,
    }
    return {**event, "subtype": "message_changed", "message": tombstone}


def edit_event(shown: Shown, kind: Kind, before: str, now: str, workspace: Workspace) -> Json:
    """A person's message has other words now."""
    at = f"{workspace.clock():.6f}"
    return {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": shown.chat,
        "channel_type": kind,
        "message": {
            **_said(shown, now, workspace.team),
            "type": "message",
            "edited": {"user": shown.user, "ts": at},
        },
        "previous_message": {**_said(shown, before, workspace.team), "type": "message"},
        "ts": at,
        "event_ts": at,
    }


def home_opened_event(channel: str, user: str, tab: str, clock: Clock) -> Json:
    return {
        "type": "app_home_opened",
        "user": user,
        "channel": channel,
        "tab": tab,
        "event_ts": f"{clock():.6f}",
    }


def click(
    workspace: Workspace, shown: Shown, label: str, *, user: str, user_team: str
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a press on a button under a message."""
    action_id, value = shown.buttons[label]
    payload: Json = {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": user_team},
        "api_app_id": workspace.app_id,
        "team": {"id": workspace.team, "domain": "demo"},
        "enterprise": None,
        "is_enterprise_install": False,
        "container": {
            "type": "message",
            "message_ts": shown.ts,
            "channel_id": shown.chat,
            "is_ephemeral": False,
            **({"thread_ts": shown.thread} if shown.thread else {}),
        },
        "channel": {"id": shown.chat, "name": "general"},
        "message": {"type": "message", "user": shown.user, "ts": shown.ts, "text": shown.text, "blocks": []},
        "trigger_id": uuid.uuid4().hex,
        "response_url": "https://hooks.slack.com/actions/none",
        "state": {"values": {}},
        "actions": [
            {
                "action_id": action_id,
                "block_id": "b1",
                "type": "button",
                "value": value,
                "action_ts": f"{workspace.clock():.6f}",
            }
        ],
    }
    body = urlencode({"payload": orjson.dumps(payload).decode()}).encode()
    return {"Content-Type": "application/x-www-form-urlencoded", **workspace.signed(body)}, body


def session_stopped_event(
    channel: str, thread_ts: str, user: str, streams: Sequence[str], clock: Clock
) -> Json:
    """``streams``: the messages that the person's click ended."""
    return {
        "type": "agent_session_stopped",
        "channel": channel,
        "thread_ts": thread_ts,
        "user": user,
        "streaming_message_ts": list(streams),
        "event_ts": f"{clock():.6f}",
    }


def slash_command(
    workspace: Workspace, command: str, text: str, *, channel: str, user: str, trigger_id: str
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a slash command."""
    form = {
        "token": "deprecated",
        "team_id": workspace.team,
        "team_domain": "demo",
        "channel_id": channel,
        "channel_name": "directmessage" if channel.startswith("D") else "general",
        "user_id": user,
        "user_name": user.lower(),
        "command": command,
        "text": text,
        "api_app_id": workspace.app_id,
        "response_url": "https://hooks.slack.com/commands/none",
        "trigger_id": trigger_id,
    }
    body = urlencode(form).encode()
    return {"Content-Type": "application/x-www-form-urlencoded", **workspace.signed(body)}, body


def sealed(
    workspace: Workspace, event: Json, event_id: str
) -> Callable[[int, str], tuple[dict[str, str], bytes]]:
    """The envelope of an event, signed anew for each attempt."""
    envelope = {
        "token": "deprecated",
        "team_id": workspace.team,
        "context_team_id": workspace.team,
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(workspace.clock()),
        "authorizations": [
            {
                "enterprise_id": workspace.organisation or None,
                "team_id": None if workspace.organisation else workspace.team,
                "user_id": workspace.bot_user,
                "is_bot": True,
                "is_enterprise_install": bool(workspace.organisation),
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }
    body = orjson.dumps(envelope)

    def attempt(number: int, reason: str) -> tuple[dict[str, str], bytes]:
        headers = {"Content-Type": "application/json", **workspace.signed(body)}
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        return headers, body

    return attempt


def _said(shown: Shown, text: str, team: str) -> Json:
    said: Json = {
        "user": shown.user,
        "team": team,
        "text": text,
        "ts": shown.ts,
        "channel": shown.chat,
        "event_ts": shown.ts,
        "blocks": [
            {
                "type": "rich_text",
                "block_id": "b1",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
            }
        ],
    }
    if shown.thread:
        said |= {"thread_ts": shown.thread}
    return said
