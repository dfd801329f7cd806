"""Who is signed in: sessions in the store, so that every replica knows them and any can end them.

Invariants:

- the cookie holds a random value, the store only its digest: who reads the store can open no session;
- a session holds no token and no role. What somebody may do is looked up at each request, so that a revoked token
  or a claim that maps to no role any more ends the session at once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from conversation.clock import Clock
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.records import Record, RecordConflictError, Records
from gateway.admin.access import Permission, Principal
from gateway.admin.errors import UnknownError
from gateway.admin.tokens import Tokens

COOKIE = "__Host-turnkeeper"
LASTS = 12 * 3600.0
MOST = 1000
"""Sessions that may exist; the oldest is ended for one more."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the identity provider vouches for. ``claims`` are the values that roles are mapped from."""

    subject: str
    name: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Session:
    """Either of a token, by its handle, or of a person."""

    created_at: float
    expires_at: float
    token: str | None = None
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class SessionView:
    id: str
    name: str
    created_at: datetime
    expires_at: datetime


_stored = Stored("turnkeeper.session.v1", _Session)


class Sessions:
    """``principal_of`` says what a person may do; None for nobody's business here."""

    def __init__(
        self,
        records: Records,
        tokens: Tokens,
        clock: Clock,
        principal_of: Callable[[Person], Principal | None] = lambda _: None,
    ) -> None:
        self._records = records
        self._tokens = tokens
        self._clock = clock
        self._principal_of = principal_of

    async def begin_with_token(self, bearer: str) -> tuple[str, Principal] | None:
        """The cookie's value and whose it is; None for a wrong token."""
        who = await self._tokens.authenticate(bearer)
        if who is None:
            return None
        return await self._begin(token=self._tokens.handle(bearer)), who

    async def begin_with_person(self, person: Person) -> tuple[str, Principal] | None:
        """None for somebody whom no role is mapped to."""
        who = self._principal_of(person)
        if who is None:
            return None
        return await self._begin(person=person), who

    async def who(self, cookie: str) -> Principal | None:
        """Whose session it is; None if it ended. Raises StoreUnavailableError."""
        session = _read(await self._records.get("session", _id(cookie)))
        if session is None or session.expires_at <= self._clock.now():
            return None
        return await self._principal(session)

    async def end(self, cookie: str) -> None:
        await self._forget(await self._records.get("session", _id(cookie)))

    async def list(self, who: Principal) -> tuple[SessionView, ...]:
        """Those that are open, the newest first."""
        who.check(Permission.ADMINISTER)
        found = []
        for record in await self._records.all("session"):
            session = _read(record)
            if session is None or session.expires_at <= self._clock.now():
                continue
            principal = await self._principal(session)
            if principal is not None:
                found.append(_view(record.id, session, principal))
        return tuple(sorted(found, key=lambda one: one.created_at, reverse=True))

    async def revoke(self, who: Principal, id: str) -> str:
        """Whose session it was. Raises UnknownError."""
        who.check(Permission.ADMINISTER)
        record = await self._records.get("session", id)
        session = _read(record)
        if record is None or session is None:
            raise UnknownError("this session has ended already")
        await self._forget(record)
        principal = await self._principal(session)
        return principal.name if principal else ""

    async def _principal(self, session: _Session) -> Principal | None:
        if session.person is not None:
            return self._principal_of(session.person)
        return await self._tokens.still(session.token or "")

    async def _begin(self, *, token: str | None = None, person: Person | None = None) -> str:
        await self._make_room()
        cookie = secrets.token_urlsafe(32)
        now = self._clock.now()
        session = _Session(now, now + LASTS, token, person)
        await self._records.put("session", _id(cookie), _stored.write(session), expected=0)
        return cookie

    async def _make_room(self) -> None:
        """Forget those that ended, and the oldest where there are too many."""
        now = self._clock.now()
        open_ones = []
        for record in await self._records.all("session"):
            session = _read(record)
            if session is None or session.expires_at <= now:
                await self._forget(record)
            else:
                open_ones.append((session.created_at, record))
        open_ones.sort(key=lambda one: one[0])
        for _, record in open_ones[: max(0, len(open_ones) - MOST + 1)]:
            await self._forget(record)

    async def _forget(self, record: Record | None) -> None:
        if record is None:
            return
        try:
            await self._records.delete("session", record.id, expected=record.version)
        except RecordConflictError:
            _log.debug("somebody else ended it")


def _id(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="surrogateescape")).hexdigest()


def _read(record: Record | None) -> _Session | None:
    if record is None:
        return None
    try:
        return _stored.read(record.document)
    except UnreadableRecordError as error:
        _log.warning("session not readable", cause=str(error))
        return None


def _view(id: str, session: _Session, who: Principal) -> SessionView:
    return SessionView(
        id=id,
        name=who.name,
        created_at=datetime.fromtimestamp(session.created_at, UTC),
        expires_at=datetime.fromtimestamp(session.expires_at, UTC),
    )
