"""Requests that look as if Slack had sent them, for a bot's self-test."""

from __future__ import annotations

import orjson

from channels.port import PROBE_TENANT
from channels.received import WebhookRequest
from channels.slack.verify import Verifier


def message_probe(verifier: Verifier, text: str, now: float) -> WebhookRequest:
    """Somebody writes to the bot in a direct message."""
    ts = f"{now:.6f}"
    event = {
        "type": "message",
        "channel": "D0SELFTEST",
        "channel_type": "im",
        "user": "U0SELFTEST",
        "text": text,
        "ts": ts,
        "event_ts": ts,
    }
    return _signed(
        verifier,
        {
            "type": "event_callback",
            "team_id": PROBE_TENANT,
            "event_id": f"Ev{ts}",
            "event_time": int(now),
            "event": event,
        },
        now,
    )


def challenge_probe(verifier: Verifier, challenge: str, now: float) -> WebhookRequest:
    return _signed(verifier, {"type": "url_verification", "challenge": challenge}, now)


def _signed(verifier: Verifier, payload: dict[str, object], now: float) -> WebhookRequest:
    body = orjson.dumps(payload)
    headers = {"Content-Type": "application/json", **verifier.signed(body, now)}
    return WebhookRequest(headers, body, now)
