"""What the platform does to a payload before it arrives, written from the documents, not from our code."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from multidict import CIMultiDict

from channels.lark import LarkCredentials
from channels.received import WebhookRequest

PAYLOADS = Path(__file__).parents[2] / "payloads" / "lark"
NOW = 1_800_000_000.0
KEY = "made-up-encrypt-key"
TOKEN = "verification-token"
CREDENTIALS = LarkCredentials("cli_made_up", "made-up-secret", KEY, TOKEN)
BY_TOKEN = LarkCredentials("cli_made_up", "made-up-secret", "", TOKEN)


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def encrypted(plain: bytes, key: str = KEY) -> bytes:
    padder = PKCS7(128).padder()
    iv = bytes(range(16))
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return orjson.dumps({"encrypt": base64.b64encode(iv + sealed).decode()})


def signed(body: bytes, *, key: str = KEY, at: str = str(int(NOW))) -> WebhookRequest:
    signature = hashlib.sha256(f"{at}nonce{key}".encode() + body).hexdigest()
    headers = {
        "X-Lark-Request-Timestamp": at,
        "X-Lark-Request-Nonce": "nonce",
        "X-Lark-Signature": signature,
    }
    return WebhookRequest(CIMultiDict(headers), body, NOW)


def unsigned(body: bytes) -> WebhookRequest:
    return WebhookRequest(CIMultiDict(), body, NOW)


def arriving(name: str) -> WebhookRequest:
    return signed(encrypted(payload(name)))
