"""Secrets at rest: sealed with the first key of a list, opened with any.

Invariants:

- a sealed secret names its key and is bound to its place (``owner``): in another record, or field, it does not open;
- no text of an error, and no ``repr``, holds a key or a secret.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import os
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode

SEALED = "sealed:"
"""What every sealed secret begins with."""

SHORTEST_KEY = 16
"""Characters; what is shorter could be guessed."""

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_ITERATIONS = 300_000
_SALT = b"turnkeeper.secrets_key.v1"


class UnreadableSecretError(Exception):
    """The text names the key that is missing, or says that the record is damaged."""


class Keyring:
    """AES-256-GCM with a list of keys."""

    def __init__(self, keys: list[bytes]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - who has no secrets loads none

        self._ciphers = {_name(key): AESGCM(key) for key in reversed(keys)}
        self._first = _name(keys[0])

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Keys, comma-separated: 32 bytes in base64 or hexadecimal each, or any other text of 16 characters or more,
        from which a key is derived. Raises ValueError, which says which one is wrong and how one is made.
        """
        return cls([_key(number, part.strip()) for number, part in enumerate(text.split(","), 1)])

    @property
    def key_id(self) -> str:
        """Of the key that seals."""
        return self._first

    def seal(self, value: str, owner: str) -> str:
        """``owner`` names the secret's place, such as ``bot/helpdesk#bot_token``."""
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[self._first].encrypt(nonce, value.encode(), owner.encode())
        return f"{SEALED}{_VERSION}:{self._first}:{urlsafe_b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, owner: str) -> str:
        """Raises UnreadableSecretError."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see above

        version, _, rest = sealed.removeprefix(SEALED).partition(":")
        key, _, body = rest.partition(":")
        if not sealed.startswith(SEALED) or version != _VERSION:
            raise UnreadableSecretError("it is damaged, or was sealed by a later version")
        cipher = self._ciphers.get(key)
        if cipher is None:
            raise UnreadableSecretError(f"it was sealed with key {key}, which secrets_key does not list")
        try:
            raw = urlsafe_b64decode(body)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise UnreadableSecretError("it is damaged, or belongs to another record") from None

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed it."""
        return sealed.startswith(f"{SEALED}{_VERSION}:{self._first}:")


def _key(number: int, text: str) -> bytes:
    if len(text) < SHORTEST_KEY:
        which = "is empty" if not text else f"has {len(text)} characters"
        raise ValueError(
            f"key {number} {which}; make one of {SHORTEST_KEY} characters or more with `openssl rand -base64 32`"
        )
    for decoded in (bytes.fromhex, _base64):
        try:
            raw = decoded(text)
        except ValueError:
            continue
        if len(raw) == _KEY_BYTES:
            return raw
    return _derived(text)


@functools.lru_cache(maxsize=8)
def _derived(text: str) -> bytes:
    """About 0.1 s of CPU, once; a function that needs much memory would leave a process that much larger."""
    return hashlib.pbkdf2_hmac("sha256", text.encode(), _SALT, _ITERATIONS, _KEY_BYTES)


def _base64(text: str) -> bytes:
    try:
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _name(key: bytes) -> str:
    return hashlib.sha256(b"turnkeeper key id" + key).hexdigest()[:8]
