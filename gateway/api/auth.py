"""Who may use the API: whoever has the admin's token.

Invariant: how long a comparison takes says nothing about the token.
"""

from __future__ import annotations

import hashlib
import hmac

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.api.problems import problem

_log = structlog.get_logger()


def require(token: str) -> Middleware:
    """Answers 401 unless the request bears this token; even an unknown path tells nothing before."""
    if not token:
        raise ValueError("an empty token would let everybody in")
    expected = _digest(token)

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _refused("is missing", 'Bearer realm="turnkeeper"')
        if not hmac.compare_digest(_digest(given.strip()), expected):
            return _refused("is wrong", 'Bearer realm="turnkeeper", error="invalid_token"')
        return await handler(request)

    return checked


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _refused(what: str, challenge: str) -> web.Response:
    _log.warning("api refused", cause=f"the token {what}")
    detail = (
        f"the token {what}; send `Authorization: Bearer` and the admin.token of the gateway's configuration"
    )
    return problem(401, detail, headers={"WWW-Authenticate": challenge})
