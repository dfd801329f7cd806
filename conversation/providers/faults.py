"""What it means when a model's server says no, or says nothing.

Invariants:

- an error's text names the status and the server's own code: its message may quote the prompt, or the key;
- asking again is suggested only where it may help.

Source: OpenAI API guide "Error codes"; RFC 9110, "10.2.3 Retry-After".
"""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from multidict import CIMultiDictProxy
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from conversation.providers.port import ProviderError
from conversation.turn import Reason

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a server that asks for more is taken to mean this."""

_ERROR_BODY_LIMIT = 64 << 10
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,48}")
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
_RATE_LIMITS = frozenset({"429", "rate_limit_exceeded", "rate_limit_error"})
_HOPELESS_RATE_LIMITS = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class Fault(TypedDict, total=False):
    """The ``error`` object of an answer or of a stream. ``param`` is the request's key that it is about."""

    type: str | None
    code: str | int | None
    param: str | None


class _ErrorBody(TypedDict, total=False):
    error: Fault | str | None


_ERROR_BODY = TypeAdapter(_ErrorBody)


class RefusedError(ProviderError):
    """The server refused the request. ``param`` is the request's key that it names, if any."""

    def __init__(self, reason: Reason, detail: str, *, retry_after: float | None, param: str | None) -> None:
        super().__init__(reason, detail, retry_after=retry_after)
        self.param = param


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, cut after ``limit`` bytes."""
    pieces: list[bytes] = []
    missing = limit
    while missing > 0 and (piece := await response.content.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


async def refusal(response: aiohttp.ClientResponse) -> RefusedError:
    """What an answer other than 200 means."""
    body = b""
    with contextlib.suppress(aiohttp.ClientError):
        body = await read_body(response, _ERROR_BODY_LIMIT)
    try:
        fault = _ERROR_BODY.validate_json(body).get("error") or {}
    except ValidationError:
        fault = {}
    status = response.status
    reason = Reason.MODEL_ERROR
    retry_after = None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        reason = Reason.MODEL_RATE_LIMITED
        retry_after = None if _codes(fault) & _HOPELESS_RATE_LIMITS else _retry_after(response.headers)
    elif status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        retry_after = _retry_after(response.headers)
    param = None if isinstance(fault, str) else fault.get("param")
    return RefusedError(reason, f"HTTP {status}{named(fault)}", retry_after=retry_after, param=param)


def unreachable(error: aiohttp.ClientError, *, begun: bool) -> ProviderError:
    """What a connection's failure means. ``begun``: a part of the answer has been seen."""
    detail = type(error).__name__
    if isinstance(error, aiohttp.ClientOSError) and error.strerror:
        detail = f"{detail}: {error.strerror}"
    lasting = isinstance(error, (aiohttp.ClientSSLError, aiohttp.InvalidURL))
    return ProviderError(Reason.MODEL_ERROR, detail, retry_after=None if begun or lasting else 0.0)


def _codes(fault: Fault | str) -> frozenset[str]:
    """The server's own names for what is wrong: identifiers only, since other texts may quote anything."""
    if isinstance(fault, str):
        return frozenset()
    names = (str(name) for name in (fault.get("type"), fault.get("code")) if name is not None)
    return frozenset(name for name in names if _IDENTIFIER.fullmatch(name))


def named(fault: Fault | str) -> str:
    """The server's names for the fault, to be put behind a text; empty if it gave none."""
    codes = sorted(_codes(fault))
    return f" ({', '.join(codes)})" if codes else ""


def reason_of(fault: Fault | str) -> Reason:
    """Which reason an ``error`` object inside a stream is."""
    return Reason.MODEL_RATE_LIMITED if _codes(fault) & _RATE_LIMITS else Reason.MODEL_ERROR


def _retry_after(headers: CIMultiDictProxy[str]) -> float:
    """Seconds; 0 where the server names none that can be read."""
    milliseconds = _number(headers.get("Retry-After-Ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    text = headers.get("Retry-After", "")
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return _bounded((when - datetime.now(UTC)).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
