"""A sealed word in the store: by it a wrong ``secrets_key`` is noticed at the start, before anything is sealed."""

from __future__ import annotations

from conversation.stores.records import RecordConflictError, Records
from gateway.keyring import Keyring, UnreadableSecretError

_CANARY_KIND, _CANARY_ID, _CANARY = "canary", "secrets_key", "turnkeeper"


class WrongKeyError(Exception):
    """The configured keys are not those that this store was used with."""


async def check_canary(keyring: Keyring, records: Records) -> None:
    """Raises WrongKeyError if this store's secrets were sealed with other keys. Who is first leaves the canary."""
    record = await records.get(_CANARY_KIND, _CANARY_ID)
    if record is None:
        try:
            await records.put(_CANARY_KIND, _CANARY_ID, _canary(keyring), expected=0)
        except RecordConflictError:  # another replica was first
            await check_canary(keyring, records)
        return
    try:
        keyring.open(record.document.decode(), _CANARY_KIND)
    except UnreadableSecretError as error:
        raise WrongKeyError(
            f"secrets_key is not the key of this store: {error}; give the key that was used before too, after a"
            " comma, and see `turnkeeper secrets rotate`"
        ) from None


async def reseal_canary(keyring: Keyring, records: Records) -> None:
    record = await records.get(_CANARY_KIND, _CANARY_ID)
    if record is not None and not keyring.is_current(record.document.decode()):
        await records.put(_CANARY_KIND, _CANARY_ID, _canary(keyring), expected=record.version)


def _canary(keyring: Keyring) -> bytes:
    return keyring.seal(_CANARY, _CANARY_KIND).encode()
