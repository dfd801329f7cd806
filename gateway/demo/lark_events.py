"""Events as Lark sends them: the v2 envelope of a message, encryption and signature."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from gateway.demo.lark_rules import Json
from gateway.demo.standin import Clock, Shown

AES_BLOCK_BITS = 128


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who the bot is, and what encrypts and signs its events. ``encrypt_key`` may be empty."""

    key: str
    app_id: str
    bot_open_id: str
    encrypt_key: str
    verification_token: str
    clock: Clock

    def sealed(self, payload: Json, *, encrypted: bool = True) -> tuple[dict[str, str], bytes]:
        """Headers and body of one attempt: encrypted with a fresh IV and signed, if there is a key."""
        plain = orjson.dumps(payload)
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if not self.encrypt_key or not encrypted:
            return headers, plain
        body = orjson.dumps({"encrypt": encrypt(self.encrypt_key, plain, os.urandom(16))})
        timestamp, nonce = str(int(self.clock())), os.urandom(8).hex()
        signature = hashlib.sha256(f"{timestamp}{nonce}{self.encrypt_key}".encode() + body).hexdigest()
        signing = {
            "X-Lark-Request-Timestamp": timestamp,
            "X-Lark-Request-Nonce": nonce,
            "X-Lark-Signature": signature,
        }
        return headers | signing, body

    def attempts(self, payload: Json) -> Callable[[int, str], tuple[dict[str, str], bytes]]:
        return lambda _attempt, _reason: self.sealed(payload)

    def envelope(self, event_type: str, event_id: str, event: Json) -> Json:
        return {
            "schema": "2.0",
            "header": {
                "event_id": event_id,
                "event_type": event_type,
                "create_time": milliseconds(self.clock()),
                "token": self.verification_token,
                "app_id": self.app_id,
                "tenant_key": self.key,
            },
            "event": event,
        }


def encrypt(key: str, plain: bytes, iv: bytes) -> str:
    """Base64 of IV and ciphertext: AES-256-CBC, PKCS7, under the SHA-256 of the key."""
    padder = PKCS7(AES_BLOCK_BITS).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    return base64.b64encode(iv + encryptor.update(padded) + encryptor.finalize()).decode()


def message_event(
    shown: Shown,
    tenant: Tenant,
    *,
    chat_type: Literal["p2p", "group"],
    message_type: Literal["text", "post"],
    mention: bool,
    sender_tenant: str,
) -> Json:
    """The ``event`` of im.message.receive_v1."""
    created = milliseconds(shown.at)
    message: Json = {
        "message_id": shown.ts,
        "create_time": created,
        "update_time": created,
        "chat_id": shown.chat,
        "chat_type": chat_type,
        "message_type": message_type,
        "content": orjson.dumps(_content(shown.text, message_type, mention=mention)).decode(),
        "user_agent": "Mozilla/5.0",
    }
    if shown.thread:
        message["thread_id"] = shown.thread
    if shown.reply_to:
        message |= {"root_id": shown.reply_to, "parent_id": shown.reply_to}
    if mention:
        message["mentions"] = [
            {
                "key": "@_user_1",
                "id": {"open_id": tenant.bot_open_id, "union_id": f"on_{tenant.bot_open_id}", "user_id": ""},
                "mentioned_type": "bot",
                "name": "Turnkeeper",
                "tenant_key": tenant.key,
            }
        ]
    return {
        "sender": {
            "sender_id": {"open_id": shown.user, "union_id": f"on_{shown.user}", "user_id": None},
            "sender_type": "user",
            "tenant_key": sender_tenant,
        },
        "message": message,
    }


def recall_event(shown: Shown, clock: Clock) -> Json:
    """The ``event`` of im.message.recalled_v1."""
    return {
        "message_id": shown.ts,
        "chat_id": shown.chat,
        "recall_time": milliseconds(clock()),
        "recall_type": "message_owner",
    }


def milliseconds(at: float) -> str:
    return str(int(at * 1000))


def _content(text: str, message_type: Literal["text", "post"], *, mention: bool) -> Json:
    if message_type == "text":
        return {"text": f"@_user_1 {text}" if mention else text}
    at: list[Json] = [{"tag": "at", "user_id": "@_user_1", "user_name": "Turnkeeper", "style": []}]
    lines: list[list[Json]] = [[{"tag": "text", "text": line, "style": []}] for line in text.splitlines()]
    if mention and lines:
        lines[0] = [*at, {"tag": "text", "text": " "}, *lines[0]]
    return {"title": "", "content": lines}
