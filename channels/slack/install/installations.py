"""The installations of one bot in the store, their tokens sealed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import structlog
from pydantic import BaseModel, ValidationError

from channels.sealing import INSTALLATIONS, SealBrokenError, Sealer, place
from channels.slack.install.installation import Installation
from conversation.stores.records import Record, RecordConflictError, Records

_SECRETS = ("bot_token", "refresh_token")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """An installation as it is stored; ``version`` is what the next change of it expects."""

    installation: Installation
    version: int


class Installations:
    """Every method raises StoreUnavailableError. A damaged record is logged, and as if it were not there."""

    def __init__(self, bot: str, client_id: str, records: Records, sealer: Sealer) -> None:
        self._bot = bot
        self._client_id = client_id
        self._records = records
        self._sealer = sealer

    async def get(self, place: str) -> Kept | None:
        """``place``: the id of a workspace or an organisation. Raises SealBrokenError."""
        record = await self._records.get(INSTALLATIONS, self._id(place))
        return None if record is None else self._read(record)

    async def all(self) -> AsyncIterator[Installation]:
        """In the order of their places, but for those that cannot be opened, which are logged."""
        prefix = self._id("")
        for record in await self._records.all(INSTALLATIONS):
            if not record.id.startswith(prefix):
                continue
            try:
                kept = self._read(record)
            except SealBrokenError as error:
                _log.warning("installation not readable", installation=record.id, cause=str(error))
                continue
            if kept is not None:
                yield kept.installation

    async def put(self, installation: Installation, *, expected: int) -> Kept:
        """Raises RecordConflictError."""
        id = self._id(installation.place)
        document = installation.model_dump()
        for name in _SECRETS:
            if document[name]:
                document[name] = self._sealer.seal(document[name], place(INSTALLATIONS, id, name))
        record = await self._records.put(INSTALLATIONS, id, orjson.dumps(document), expected=expected)
        return Kept(installation, record.version)

    async def replace(self, installation: Installation) -> None:
        """Put it in the place of whatever is there: the app was installed (again)."""
        while True:
            record = await self._records.get(INSTALLATIONS, self._id(installation.place))
            try:
                await self.put(installation, expected=0 if record is None else record.version)
            except RecordConflictError:
                continue  # somebody renewed a token, or installed it at the same moment
            return

    async def delete(self, place: str, before: float) -> bool:
        """Forget one that was installed before that time; whether it was there. A later one is another."""
        while True:
            record = await self._records.get(INSTALLATIONS, self._id(place))
            if record is None:
                return False
            if _installed_at(record) > before:
                return False
            try:
                await self._records.delete(INSTALLATIONS, record.id, expected=record.version)
            except RecordConflictError:
                continue
            return True

    def _id(self, place: str) -> str:
        return f"{self._bot}/{place}"

    def _read(self, record: Record) -> Kept | None:
        """Raises SealBrokenError."""
        try:
            document = orjson.loads(record.document)
            if document["client_id"] != self._client_id:
                return None
            for name in _SECRETS:
                if document.get(name):
                    document[name] = self._sealer.open(document[name], place(INSTALLATIONS, record.id, name))
            return Kept(Installation.model_validate(document), record.version)
        except (ValidationError, ValueError, AttributeError, KeyError, TypeError):
            _log.warning("installation not readable", installation=record.id, cause="its record is damaged")
        return None


class _Dated(BaseModel):
    installed_at: float = 0.0


def _installed_at(record: Record) -> float:
    """0 of a damaged record."""
    try:
        return _Dated.model_validate_json(record.document).installed_at
    except ValidationError:
        return 0.0
