"""Sealing all stored secrets with the first key of ``secrets_key``, so that older keys can be taken out of the list.

It may run beside gateways under load, several times, and be cut off anywhere: each record is changed by itself, and
what it means does not change.
"""

from __future__ import annotations

import contextlib

from pydantic import BaseModel, ConfigDict

from channels.sealing import SEALED_KINDS
from conversation.stores.records import RecordConflictError, Records
from gateway import documents
from gateway.admin.access import Permission, Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, InvalidError
from gateway.canary import reseal_canary
from gateway.keyring import Keyring
from gateway.sealing import resealed

_TRIES = 10
"""Reads of a record that others keep changing meanwhile."""


class Rotated(BaseModel):
    """Counts of secrets. ``unreadable`` names those that no key of the list opens: they have to be entered again."""

    model_config = ConfigDict(frozen=True)

    key: str
    resealed: int
    current: int
    unreadable: tuple[str, ...]


class Rotation:
    def __init__(self, records: Records, keyring: Keyring | None, audit: Audit) -> None:
        self._records = records
        self._keyring = keyring
        self._audit = audit

    async def rotate(self, who: Principal) -> Rotated:
        """Raises ConflictError where there is no key, or a record is changed without end."""
        who.check(Permission.ADMINISTER)
        keyring = self._keyring
        if keyring is None:
            raise ConflictError(
                "secrets_key is not configured; set it to the new key and the old one, comma-separated"
            )
        parts = [
            await self._rotate_record(kind.name, record.id, keyring)
            for kind in (documents.AGENTS, documents.BOTS)
            for record in await self._records.all(kind.name)
        ]
        parts += [
            await self._rotate_kept(kind, record.id, keyring)
            for kind in SEALED_KINDS
            for record in await self._records.all(kind)
        ]
        with contextlib.suppress(RecordConflictError):  # another rotation was faster
            await reseal_canary(keyring, self._records)
        done = Rotated(
            key=keyring.key_id,
            resealed=sum(part.resealed for part in parts),
            current=sum(part.current for part in parts),
            unreadable=tuple(name for part in parts for name in part.unreadable),
        )
        await self._audit.record(
            who, "secrets.rotated", f"key/{keyring.key_id}", f"{done.resealed} sealed anew"
        )
        return done

    async def _rotate_record(self, kind: str, id: str, keyring: Keyring) -> documents.Resealed:
        for _ in range(_TRIES):
            record = await self._records.get(kind, id)
            if record is None:
                return documents.Resealed(0, 0, ())
            try:
                document, done = documents.resealed(kind, id, documents.load(record), keyring)
            except InvalidError:
                return documents.Resealed(0, 0, (f"{kind}/{id}",))
            if not done.resealed:
                return done
            try:
                await self._records.put(kind, id, documents.dump(document), expected=record.version)
            except RecordConflictError:
                continue
            return done
        raise ConflictError(f"{kind} {id!r} is being changed all the time; rotate again")

    async def _rotate_kept(self, kind: str, id: str, keyring: Keyring) -> documents.Resealed:
        """What a channel keeps for itself, such as the tokens of an installation."""
        for _ in range(_TRIES):
            record = await self._records.get(kind, id)
            if record is None:
                return documents.Resealed(0, 0, ())
            document, done = resealed(record, keyring)
            if not done.resealed:
                return done
            try:
                await self._records.put(kind, id, document, expected=record.version)
            except RecordConflictError:
                continue
            return done
        raise ConflictError(f"{kind} {id!r} is being changed all the time; rotate again")
