"""Idempotency-Key: a POST that is repeated, because its answer was lost, is done once and answered as before.

Invariants:

- who repeats it is whoever sent it: a key counts per token;
- nobody can read an answer from the store, as it is encrypted with the token and the key, of which neither is stored:
  so that even the secret of a new token may be told again;
- what failed is not remembered: it may be corrected and sent with the same key.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter

from conversation.clock import Clock
from conversation.stored import Stored, UnreadableRecordError
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, RecordConflictError, Records
from gateway.admin.errors import FieldProblem, InvalidError
from gateway.api.problems import ProblemError

REMEMBERED_FOR = 24 * 3600.0
"""Seconds for which an answer is repeated."""

BEGUN_FOR = 120.0
"""Seconds after which a request without an answer counts as lost with its process: a repetition does it again."""

KIND = "idempotency"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Remembered:
    """``asked`` tells one request from another; ``answer`` is sealed, empty as long as there is none."""

    at: float
    asked: str
    answer: str = ""


_stored = Stored("turnkeeper.idempotency.v1", _Remembered)
_reply = TypeAdapter(Reply)


class Repetitions:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def once(
        self, bearer: str, key: str, asked: bytes, do: Callable[[], Awaitable[Reply]]
    ) -> tuple[Reply, bool]:
        """The answer of the first such request, and whether it was given before.

        Raises what ``do`` raises, InvalidError if the key was for something else, and ProblemError (409) while the
        first is still being answered.
        """
        seal = _Seal(bearer, key)
        print_ = seal.print(asked)
        known = await self._records.get(KIND, seal.id)
        before = None if known is None else _read(known)
        now = self._clock.now()
        if before is not None and now - before.at < REMEMBERED_FOR:
            if before.asked != print_:
                raise InvalidError(
                    [
                        FieldProblem(
                            "Idempotency-Key", "was used for another request; send a new one with each"
                        )
                    ]
                )
            if before.answer:
                return seal.open(before.answer), True
            if now - before.at < BEGUN_FOR:
                raise _being_answered()
        begun = await self._begin(seal.id, _Remembered(now, print_), 0 if known is None else known.version)
        try:
            reply = await do()
        except asyncio.CancelledError:
            raise  # what was begun may have been done
        except BaseException:
            await self._forget(begun)
            raise
        await self._remember(begun, _Remembered(now, print_, seal.close(reply)))
        return reply, False

    async def _begin(self, id: str, what: _Remembered, version: int) -> Record:
        try:
            return await self._records.put(KIND, id, _stored.write(what), expected=version)
        except RecordConflictError:
            raise _being_answered() from None

    async def _remember(self, begun: Record, what: _Remembered) -> None:
        """It is done, so the answer is given even where it cannot be remembered."""
        try:
            await self._records.put(KIND, begun.id, _stored.write(what), expected=begun.version)
        except (RecordConflictError, StoreUnavailableError) as error:
            _log.warning("answer not remembered", cause=str(error))

    async def _forget(self, record: Record) -> None:
        try:
            await self._records.delete(KIND, record.id, expected=record.version)
        except (RecordConflictError, StoreUnavailableError) as error:
            _log.warning("idempotency key not forgotten", cause=str(error))


class _Seal:
    """What a token and a key of it can read, and nobody else."""

    def __init__(self, bearer: str, key: str) -> None:
        secret = bearer.encode(errors="surrogateescape")
        self.id = hmac.new(secret, b"id\x00" + key.encode(), hashlib.sha256).hexdigest()
        self._key = hmac.new(secret, b"seal\x00" + key.encode(), hashlib.sha256).digest()

    def print(self, asked: bytes) -> str:
        """Of a request; whoever reads it cannot try what the request may have been."""
        return hmac.new(self._key, asked, hashlib.sha256).hexdigest()

    def close(self, reply: Reply) -> str:
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._key).encrypt(nonce, _reply.dump_json(reply), self.id.encode())
        return (nonce + sealed).hex()

    def open(self, sealed: str) -> Reply:
        raw = bytes.fromhex(sealed)
        return _reply.validate_json(AESGCM(self._key).decrypt(raw[:12], raw[12:], self.id.encode()))


def _read(record: Record) -> _Remembered | None:
    """None if it is damaged."""
    try:
        return _stored.read(record.document)
    except UnreadableRecordError as error:
        _log.warning("idempotency key not readable", cause=str(error))
        return None


def _being_answered() -> ProblemError:
    return ProblemError(
        409,
        "a request with this Idempotency-Key is still being answered; repeat it in a moment",
        {"Retry-After": "1"},
    )
