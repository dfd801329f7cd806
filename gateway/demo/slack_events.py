"""Events as Slack sends them: the inner events of a message, and the signed envelope around them."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson

from gateway.demo.slack_rules import Json
from gateway.demo.standin import Clock, Shown

Kind = Literal["channel", "im"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """Who the bot is, and what signs its events."""

    team: str
    app_id: str
    bot_user: str
    bot_id: str
    signing_secret: str
    clock: Clock

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
                "enterprise_id": None,
                "team_id": workspace.team,
                "user_id": workspace.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
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
