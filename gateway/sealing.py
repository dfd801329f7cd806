"""Secrets that channels keep in the store for themselves: sealed with the keyring, and sealed anew with it."""

from __future__ import annotations

import orjson

from channels.sealing import SealBrokenError, place
from conversation.stores.records import Record
from gateway.documents import Resealed
from gateway.keyring import SEALED, Keyring, UnreadableSecretError


class KeyringSealer:
    """``channels.sealing.Sealer``."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, value: str, owner: str) -> str:
        return self._keyring.seal(value, owner)

    def open(self, sealed: str, owner: str) -> str:
        try:
            return self._keyring.open(sealed, owner)
        except UnreadableSecretError as error:
            raise SealBrokenError(f"{error}; add that key to secrets_key") from None


def sealer_of(keyring: Keyring | None) -> KeyringSealer | None:
    return None if keyring is None else KeyringSealer(keyring)


def resealed(record: Record, keyring: Keyring) -> tuple[bytes, Resealed]:
    """The record's document with what an older key sealed sealed by the first."""
    name = f"{record.kind}/{record.id}"
    try:
        document = orjson.loads(record.document)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return record.document, Resealed(0, 0, (name,))
    anew = current = 0
    unreadable = []
    for field, written in document.items():
        if not isinstance(written, str) or not written.startswith(SEALED):
            continue
        owner = place(record.kind, record.id, field)
        if keyring.is_current(written):
            current += 1
            continue
        try:
            document[field] = keyring.seal(keyring.open(written, owner), owner)
        except UnreadableSecretError:
            unreadable.append(owner)
        else:
            anew += 1
    return orjson.dumps(document), Resealed(anew, current, tuple(unreadable))
