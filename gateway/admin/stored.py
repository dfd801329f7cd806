"""Creating, changing and removing a stored document: what bots and agents have in common.

Invariants: what is stored is valid and has no readable secret; a change is made only to the version that its author
has seen; it is in the audit, by the names of its fields, and in force in this process before the caller hears of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic

from pydantic import JsonValue

from conversation.stores.records import Record, RecordConflictError, Records
from gateway import documents
from gateway.admin.access import Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError, StaleError, UnknownError
from gateway.documents import JsonObject, M
from gateway.secret import Sources


class Stored(Generic[M]):
    """``provisioned`` are the ids in the configuration file; ``in_force`` brings the records into force here."""

    def __init__(
        self,
        kind: documents.Kind[M],
        records: Records,
        sources: Sources,
        audit: Audit,
        provisioned: Mapping[str, object],
        in_force: Callable[[], Awaitable[None]],
    ) -> None:
        self._kind = kind
        self._records = records
        self._sources = sources
        self._audit = audit
        self._provisioned = provisioned
        self._in_force = in_force

    async def all(self) -> tuple[Record, ...]:
        found = await self._records.all(self._kind.name)
        return tuple(record for record in found if record.id not in self._provisioned)

    async def get(self, id: str) -> Record:
        """Raises UnknownError."""
        record = await self._records.get(self._kind.name, id)
        if record is None:
            raise UnknownError(f"there is no {self._kind.name} {id!r}")
        return record

    async def create(self, who: Principal, document: JsonObject) -> Record:
        """Raises InvalidError and ConflictError."""
        id = document.get("id")
        if not isinstance(id, str):
            raise InvalidError(
                [FieldProblem("id", "is missing; write lower-case letters, digits and hyphens")]
            )
        document = self._valid(id, documents.merged({}, document), {})
        if id in self._provisioned:
            raise ConflictError(
                f"{id!r} is the id of a {self._kind.name} in the configuration file; choose another"
            )
        try:
            record = await self._records.put(self._kind.name, id, documents.dump(document), expected=0)
        except RecordConflictError:
            raise ConflictError(f"there is a {self._kind.name} {id!r} already; choose another id") from None
        await self._done(who, "created", id, _fields(document))
        return record

    async def change(self, who: Principal, id: str, patch: JsonObject, version: int | None) -> Record:
        """Raises UnknownError, ConflictError, StaleError and InvalidError."""
        record = await self._at(id, version)
        before = documents.load(record)
        if patch.get("id", id) != id:
            raise InvalidError([FieldProblem("id", "cannot be changed; create another, and remove this one")])
        channel = before.get("channel")
        if self._kind.name == "bot" and patch.get("channel", channel) != channel:
            raise InvalidError([FieldProblem("channel", "cannot be changed; create another bot")])
        document = self._valid(id, documents.merged(before, patch), before)
        try:
            record = await self._records.put(
                self._kind.name, id, documents.dump(document), expected=record.version
            )
        except RecordConflictError:
            raise _stale(id) from None
        await self._done(who, "changed", id, _fields(patch))
        return record

    async def remove(self, who: Principal, id: str, version: int | None) -> None:
        """Raises UnknownError, ConflictError and StaleError."""
        record = await self._at(id, version)
        try:
            await self._records.delete(self._kind.name, id, expected=record.version)
        except RecordConflictError:
            raise _stale(id) from None
        await self._done(who, "removed", id, ())

    def settings(self, record: Record) -> M:
        """Raises InvalidError."""
        return documents.read(self._kind, record.id, documents.load(record), self._sources)

    def written(self, record: Record) -> JsonObject:
        """Its document; empty where that is damaged."""
        try:
            return documents.load(record)
        except InvalidError:
            return {}

    def secrets(self, record: Record) -> dict[str, documents.SecretView]:
        """Of a damaged record none."""
        return documents.views(self._kind, record.id, self.written(record), self._sources)

    def _valid(self, id: str, document: JsonObject, before: JsonObject) -> JsonObject:
        """As it is stored. Its text is checked before its secrets are: the first say more."""
        try:
            document = documents.sealed(self._kind, id, document, before, self._sources.keyring)
        except InvalidError as unsealed:
            documents.read(self._kind, id, document, self._sources)
            raise unsealed from None
        documents.read(self._kind, id, document, self._sources)
        return document

    async def _at(self, id: str, version: int | None) -> Record:
        if id in self._provisioned:
            raise ConflictError(f"{self._kind.name} {id!r} stands in the configuration file; change it there")
        record = await self.get(id)
        if version is not None and record.version != version:
            raise _stale(id)
        return record

    async def _done(self, who: Principal, deed: str, id: str, fields: tuple[str, ...]) -> None:
        name = self._kind.name
        await self._audit.record(who, f"{name}.{deed}", f"{name}/{id}", ", ".join(fields))
        await self._in_force()


def _stale(id: str) -> StaleError:
    return StaleError(f"{id!r} was changed since you looked at it; look again, and repeat what you want")


def _fields(document: Mapping[str, JsonValue], above: str = "") -> tuple[str, ...]:
    """The paths of what was written: never a value."""
    found: list[str] = []
    for key, value in document.items():
        path = f"{above}{key}"
        found += _fields(value, f"{path}.") if isinstance(value, dict) else [path]
    return tuple(found)
