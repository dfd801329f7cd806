"""Tokens and sessions: who may come in.

Invariant: a token that was made is shown in the answer to the form that made it, and on no page again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import JsonValue, ValidationError

from gateway.admin.access import Permission
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError
from gateway.admin.fields import invalid_fields
from gateway.admin.tokens import CreatedToken, NewToken
from gateway.console.console import Console, caller, check, go, say
from gateway.console.forms import Asked, make_form, patch, sent, written

_ASKED = (
    Asked("name"),
    Asked("role", "select", ("viewer", "auditor", "operator", "admin")),
    Asked("bots", "lines", optional=True),
    Asked("expires_in", "select", ("1d", "30d", "90d", "365d", "never")),
)
_AT_FIRST = {"role": "viewer", "expires_in": "90d"}


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def page(
        request: web.Request,
        *,
        values: Mapping[str, str] = _AT_FIRST,
        problems: Sequence[FieldProblem] = (),
        created: CreatedToken | None = None,
        status: int = 200,
    ) -> web.Response:
        who = check(request, Permission.ADMINISTER)
        return console.page(
            request,
            "tokens.html",
            status=status,
            tokens=await desk.tokens.list(who),
            sessions=await console.sessions.list(who),
            form=make_form(say(request), _ASKED, values, about="token", problems=problems),
            asked=_ASKED,
            created=created,
        )

    async def listed(request: web.Request) -> web.Response:
        return await page(request)

    async def made(request: web.Request) -> web.Response:
        who = check(request, Permission.ADMINISTER)
        values = written(await sent(request), _ASKED)
        try:
            created = await desk.tokens.create(who, _read(patch(values, _ASKED)))
        except InvalidError as error:
            return await page(request, values=values, problems=error.problems, status=422)
        except ConflictError as error:
            taken = FieldProblem("name", str(error))
            return await page(request, values=values, problems=[taken], status=409)
        return await page(request, created=created)

    async def revoked(request: web.Request) -> web.Response:
        await desk.tokens.revoke(caller(request), request.match_info["id"])
        return go("/console/tokens", done="token_revoked")

    async def session_ended(request: web.Request) -> web.Response:
        who = caller(request)
        whose = await console.sessions.revoke(who, request.match_info["id"])
        await desk.audit.record(who, "session.ended", "console", whose)
        return go("/console/tokens", done="session_ended")

    return [
        web.get("/tokens", listed),
        web.post("/tokens", made),
        web.post("/tokens/{id}/revoke", revoked),
        web.post("/sessions/{id}/end", session_ended),
    ]


def _read(document: dict[str, JsonValue]) -> NewToken:
    """An empty list of bots is all of them. Raises InvalidError."""
    if not document.get("bots"):
        document["bots"] = None
    if document.get("expires_in") == "never":
        document["expires_in"] = None
    try:
        return NewToken.model_validate(document)
    except ValidationError as error:
        raise invalid_fields(error, NewToken) from None
