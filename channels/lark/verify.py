"""Whether a webhook comes from the platform, and what it says once decrypted.

Invariants (docs: "接收事件", "将事件发送至开发者服务器"):

- with an Encrypt Key only a signed and encrypted body is authentic; the signature is a plain SHA-256 over
  timestamp, nonce, key and the body exactly as received;
- without one the Verification Token in the body is all there is;
- a token that is configured is compared wherever it can be read, and every comparison takes constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from pydantic import ValidationError

from channels.lark.events import Encrypted
from channels.received import Ignored, Rejected, WebhookRequest

MAX_SKEW = 12 * 3600
"""Seconds. The last of the platform's retries comes after more than 7 hours; deduplication refuses replays."""

_BLOCK = 16
_LONGEST_TIMESTAMP = 20


@dataclass(frozen=True, slots=True)
class LarkCredentials:
    """Of a self-built app, from its "Credentials" and "Events and callbacks" pages."""

    app_id: str
    app_secret: str = field(repr=False)
    encrypt_key: str = field(default="", repr=False)
    verification_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """The payload, decrypted where it was encrypted. ``flaw``: what is wrong with signature or time, if anything."""

    payload: bytes
    encrypted: bool
    flaw: str


class Verifier:
    def __init__(self, credentials: LarkCredentials) -> None:
        if not (credentials.encrypt_key or credentials.verification_token):
            raise ValueError("set encrypt_key (better) or verification_token: without, no event is authentic")
        self._encrypt_key = credentials.encrypt_key.encode()
        self._cipher = AES256(hashlib.sha256(self._encrypt_key).digest()) if self._encrypt_key else None
        self._token = credentials.verification_token.encode()

    def open(self, request: WebhookRequest) -> Opened | Ignored | Rejected:
        """Check signature and freshness and decrypt. What needs a token is left to ``is_authentic``."""
        flaw = self._flaw(request)
        if self._cipher is None:
            return Opened(request.body, encrypted=False, flaw=flaw)
        try:
            sealed = Encrypted.model_validate_json(request.body).encrypt
        except ValidationError:
            return Opened(request.body, encrypted=False, flaw=flaw)
        payload = _decrypted(self._cipher, sealed)
        if payload is None:
            return Rejected(401, flaw) if flaw else Ignored("undecryptable")
        return Opened(payload, encrypted=True, flaw=flaw)

    def is_authentic(self, opened: Opened, token: str | None) -> bool:
        """``token`` is what the payload holds as one, None where nothing can be read."""
        if opened.flaw:
            return False
        if self._cipher is None:
            return token is not None and self._is_ours(token)
        return token is None or (opened.encrypted and (not self._token or self._is_ours(token)))

    def may_challenge(self, opened: Opened, token: str) -> bool:
        """URL verification may come unsigned: its token counts, or else that it was encrypted with our key."""
        return self._is_ours(token) if self._token else opened.encrypted

    def sealed(self, payload: bytes, now: float) -> WebhookRequest:
        """The request with which the platform would send this payload: encrypted and signed, if there is a key."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self._cipher is None:
            return WebhookRequest(headers, payload, now)
        body = orjson.dumps({"encrypt": _encrypted(self._cipher, payload)})
        timestamp, nonce = str(int(now)), os.urandom(8).hex()
        signing = {
            "X-Lark-Request-Timestamp": timestamp,
            "X-Lark-Request-Nonce": nonce,
            "X-Lark-Signature": self._signature(timestamp, nonce, body),
        }
        return WebhookRequest(headers | signing, body, now)

    def _signature(self, timestamp: str, nonce: str, body: bytes) -> str:
        digest = hashlib.sha256(f"{timestamp}{nonce}".encode("utf-8", "surrogatepass"))
        digest.update(self._encrypt_key)
        digest.update(body)
        return digest.hexdigest()

    def _is_ours(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._token)

    def _flaw(self, request: WebhookRequest) -> str:
        timestamp = request.headers.get("X-Lark-Request-Timestamp")
        if timestamp is None:
            return "unsigned" if self._cipher else ""
        if self._cipher is not None:
            signature = request.headers.get("X-Lark-Signature", "")
            nonce = request.headers.get("X-Lark-Request-Nonce", "")
            expected = self._signature(timestamp, nonce, request.body)
            if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
                return "bad_signature"
        return "" if _is_fresh(timestamp, request.now) else "stale"


def _is_fresh(timestamp: str, now: float) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        return False
    return abs(now - int(timestamp)) <= MAX_SKEW


def _decrypted(cipher: AES256, sealed: str) -> bytes | None:
    try:
        raw = b64decode(sealed)
    except (Base64Error, ValueError):
        return None
    if len(raw) < 2 * _BLOCK or len(raw) % _BLOCK:
        return None
    decryptor = Cipher(cipher, CBC(raw[:_BLOCK])).decryptor()
    padded = decryptor.update(raw[_BLOCK:]) + decryptor.finalize()
    padding = padded[-1]
    if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes((padding,)) * padding:
        return None
    return padded[:-padding]


def _encrypted(cipher: AES256, payload: bytes) -> str:
    padding = _BLOCK - len(payload) % _BLOCK
    iv = os.urandom(_BLOCK)
    encryptor = Cipher(cipher, CBC(iv)).encryptor()
    sealed = encryptor.update(payload + bytes((padding,)) * padding) + encryptor.finalize()
    return b64encode(iv + sealed).decode()
