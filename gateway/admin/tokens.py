"""Bearer tokens of the API: made, listed, revoked, and recognised.

Invariants:

- of a token only a digest is stored: it is shown once, to whoever made it;
- how long a comparison takes says nothing about a token;
- every use looks at the store, so that a revoked token is refused at once, on every replica.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from conversation.clock import Clock
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import Record, RecordConflictError, Records
from gateway.admin.access import Permission, Principal, Role
from gateway.admin.audit import Audit
from gateway.admin.errors import ConflictError, UnknownError
from gateway.setting_values import Duration, Slug, invalid

MOST = 1000
"""Tokens that may exist."""

FORGOTTEN_AFTER = 30 * 86400.0
"""Seconds after which a token that expired is no longer listed."""

_BOOTSTRAP = Principal("bootstrap", "admin")
_OF_BOOTSTRAP = "bootstrap:"

_INVISIBLE = r"\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"

_LABEL = rf"^[^\s{_INVISIBLE}][^{_INVISIBLE}]{{0,63}}$"


def _label(text: str) -> str:
    if re.fullmatch(_LABEL[1:-1], text) is None:
        raise invalid("must be 1 to 64 characters that can be seen, such as CI of the shop")
    return text


Label: TypeAlias = Annotated[
    str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": _LABEL})
]

_log = structlog.get_logger()


class NewToken(BaseModel):
    """``bots``: the token is for these alone; None is all of them. ``expires_in`` is in seconds or such as 90d; None:
    it is good until it is revoked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Label
    role: Role
    bots: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=100)] | None = None
    expires_in: Annotated[Duration, Field(ge=1)] | None = None


class TokenView(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    role: Role
    bots: tuple[str, ...] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None


class CreatedToken(TokenView):
    """``token`` is told here, and never again."""

    token: Annotated[str, Field(repr=False)]


@dataclass(frozen=True, slots=True)
class _Token:
    name: str
    role: Role
    bots: tuple[str, ...] | None
    digest: str
    created_at: float
    created_by: str
    expires_at: float | None = None


_stored = Stored("turnkeeper.token.v1", _Token)


class Tokens:
    """``bootstrap`` is the token of the configuration: an admin's, for all bots. None: it has none."""

    def __init__(self, records: Records, audit: Audit, clock: Clock, *, bootstrap: str | None) -> None:
        if bootstrap == "":
            raise ValueError("an empty token would let everybody in")
        self._records = records
        self._audit = audit
        self._clock = clock
        # Without one, what no bearer has as its digest.
        self._bootstrap = b"" if bootstrap is None else _digest(bootstrap)

    async def list(self, who: Principal) -> tuple[TokenView, ...]:
        """Those that were made here, oldest first; the one of the configuration is not among them."""
        who.check(Permission.ADMINISTER)
        return tuple(_view(name, token) for name, token in await self._all())

    async def create(self, who: Principal, new: NewToken) -> CreatedToken:
        """Raises ConflictError if the name is taken."""
        who.check(Permission.ADMINISTER)
        tokens = await self._all()
        if any(token.name == new.name for _, token in tokens):
            raise ConflictError(f"there is a token {new.name!r}; choose another name, or revoke that one")
        if len(tokens) >= MOST:
            raise ConflictError(f"there are {MOST} tokens; revoke one that nobody uses")
        now = self._clock.now()
        made, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token = _Token(
            new.name,
            new.role,
            new.bots,
            _digest(secret).hex(),
            created_at=now,
            created_by=who.name,
            expires_at=None if new.expires_in is None else now + new.expires_in,
        )
        await self._records.put("token", made, _stored.write(token), expected=0)
        await self._audit.record(who, "token.created", f"token/{made}", f"{new.name}, {new.role}")
        return CreatedToken(**dict(_view(made, token)), token=f"tk_{made}_{secret}")

    async def get(self, who: Principal, id: str) -> TokenView:
        """Raises UnknownError."""
        who.check(Permission.ADMINISTER)
        token = _read(await self._records.get("token", id))
        if token is None:
            raise _unknown(id)
        return _view(id, token)

    async def revoke(self, who: Principal, id: str) -> None:
        """Raises UnknownError."""
        who.check(Permission.ADMINISTER)
        record = await self._records.get("token", id)
        if record is None:
            raise _unknown(id)
        try:
            await self._records.delete("token", id, expected=record.version)
        except RecordConflictError:
            raise _unknown(id) from None
        await self._audit.record(who, "token.revoked", f"token/{id}")

    async def authenticate(self, bearer: str) -> Principal | None:
        """Whose token it is; None if it is nobody's, expired or revoked. Raises StoreUnavailableError."""
        if hmac.compare_digest(_digest(bearer), self._bootstrap):
            return _BOOTSTRAP
        match bearer.split("_", 2):
            case ["tk", str(id), str(secret)]:
                token = _read(await self._records.get("token", id))
            case _:
                return None
        if token is None or not hmac.compare_digest(_digest(secret).hex(), token.digest):
            return None
        return self._principal(token)

    def handle(self, bearer: str) -> str:
        """By which ``still`` finds the token of this bearer again. It opens nothing."""
        digest = _digest(bearer)
        if hmac.compare_digest(digest, self._bootstrap):
            return f"{_OF_BOOTSTRAP}{hashlib.sha256(digest).hexdigest()}"
        return bearer.split("_", 2)[1]

    async def still(self, handle: str) -> Principal | None:
        """Whose token that was, as long as it is good. Raises StoreUnavailableError."""
        if handle.startswith(_OF_BOOTSTRAP):
            ours = f"{_OF_BOOTSTRAP}{hashlib.sha256(self._bootstrap).hexdigest()}"
            return _BOOTSTRAP if hmac.compare_digest(handle.encode(), ours.encode()) else None
        token = _read(await self._records.get("token", handle))
        return None if token is None else self._principal(token)

    def _principal(self, token: _Token) -> Principal | None:
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            return None
        bots = None if token.bots is None else frozenset(token.bots)
        return Principal(f"token:{token.name}", token.role, bots)

    async def _all(self) -> tuple[tuple[str, _Token], ...]:
        """By age. Those that expired long ago are forgotten on the way."""
        long_ago = self._clock.now() - FORGOTTEN_AFTER
        found = []
        for record in await self._records.all("token"):
            token = _read(record)
            if token is None:
                continue
            if token.expires_at is not None and token.expires_at < long_ago:
                await self._forget(record)
            else:
                found.append((record.id, token))
        return tuple(sorted(found, key=lambda one: one[1].created_at))

    async def _forget(self, record: Record) -> None:
        try:
            await self._records.delete("token", record.id, expected=record.version)
        except RecordConflictError:
            _log.debug("somebody else forgot it", token=record.id)


def _read(record: Record | None) -> _Token | None:
    if record is None:
        return None
    try:
        return _stored.read(record.document)
    except UnreadableRecordError as error:
        _log.warning("token not readable", token=record.id, cause=str(error))
        return None


def _view(id: str, token: _Token) -> TokenView:
    expires = token.expires_at
    return TokenView(
        id=id,
        name=token.name,
        role=token.role,
        bots=token.bots,
        created_at=datetime.fromtimestamp(token.created_at, UTC),
        created_by=token.created_by,
        expires_at=None if expires is None else datetime.fromtimestamp(expires, UTC),
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def _unknown(id: str) -> UnknownError:
    return UnknownError(f"there is no token {id!r}; list shows those that there are")
