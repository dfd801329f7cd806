"""Requests that look as if the platform had sent them, for a bot's self-test."""

from __future__ import annotations

import orjson

from channels.lark.events import MESSAGE_RECEIVED, URL_VERIFICATION
from channels.lark.verify import LarkCredentials, Verifier
from channels.port import PROBE_TENANT
from channels.received import WebhookRequest


def message_probe(verifier: Verifier, credentials: LarkCredentials, text: str, now: float) -> WebhookRequest:
    """Somebody writes to the bot in a direct message."""
    milliseconds = str(int(now * 1000))
    payload = {
        "schema": "2.0",
        "header": {
            "event_id": f"selftest-{milliseconds}",
            "event_type": MESSAGE_RECEIVED,
            "create_time": milliseconds,
            "token": credentials.verification_token,
            "app_id": credentials.app_id,
            "tenant_key": PROBE_TENANT,
        },
        "event": {
            "sender": {
                "sender_id": {"open_id": "ou_selftest"},
                "sender_type": "user",
                "tenant_key": PROBE_TENANT,
            },
            "message": {
                "message_id": f"om_selftest_{milliseconds}",
                "create_time": milliseconds,
                "chat_id": "oc_selftest",
                "chat_type": "p2p",
                "message_type": "text",
                "content": orjson.dumps({"text": text}).decode(),
            },
        },
    }
    return verifier.sealed(orjson.dumps(payload), now)


def challenge_probe(
    verifier: Verifier, credentials: LarkCredentials, challenge: str, now: float
) -> WebhookRequest:
    payload = {
        "type": URL_VERIFICATION,
        "challenge": challenge,
        "token": credentials.verification_token,
    }
    return verifier.sealed(orjson.dumps(payload), now)
