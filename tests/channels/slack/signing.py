"""Requests as Slack makes and signs them, from the payload files."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from channels.received import WebhookRequest

PAYLOADS = Path(__file__).parents[2] / "payloads" / "slack"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_781_000_000.0


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def signed(
    body: bytes, *, secret: str = SECRET, timestamp: str = str(int(NOW)), now: float = NOW
) -> WebhookRequest:
    """``timestamp`` as Slack sent it, ``now`` as our clock shows it."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
    return WebhookRequest(headers, body, now)


def unsigned(body: bytes, headers: Mapping[str, str] | None = None) -> WebhookRequest:
    return WebhookRequest(headers or {}, body, NOW)
