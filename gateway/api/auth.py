"""Who asks: whoever a bearer token belongs to.

Invariant: without a good one nothing is told, not even that there is no such path.
"""

from __future__ import annotations

import math

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.admin.access import Principal
from gateway.admin.attempts import Attempts
from gateway.admin.tokens import Tokens
from gateway.api.problems import problem

CALLER = web.RequestKey("caller", Principal)
BEARER = web.RequestKey("bearer", str)

_log = structlog.get_logger()


def require(tokens: Tokens, attempts: Attempts) -> Middleware:
    """Answers 401 unless the request bears a token, and 429 to an address that sent many wrong ones."""

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _refused("is missing", 'Bearer realm="turnkeeper"')
        address, bearer = request.remote or "", given.strip()
        wait = attempts.wait(address, bearer)
        if wait:
            return problem(
                429,
                "many wrong tokens came from this address; wait, then send a right one",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        who = await tokens.authenticate(bearer)
        if who is None:
            attempts.failed(address)
            return _refused(
                "is wrong, expired or revoked", 'Bearer realm="turnkeeper", error="invalid_token"'
            )
        attempts.succeeded(address, bearer)
        request[CALLER], request[BEARER] = who, bearer
        return await handler(request)

    return checked


def _refused(what: str, challenge: str) -> web.Response:
    _log.warning("api refused", cause=f"the token {what}")
    detail = (
        f"the token {what}; send `Authorization: Bearer` and a token that an admin made, or the admin.token of the"
        " gateway's configuration"
    )
    return problem(401, detail, headers={"WWW-Authenticate": challenge})
