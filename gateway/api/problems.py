"""How the API says what went wrong: RFC 9457 problem documents, made in this one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict

from conversation.stores.port import StoreUnavailableError
from gateway.admin.errors import (
    AdminError,
    ConflictError,
    FieldProblem,
    InvalidError,
    NotAllowedError,
    StaleError,
    UnknownError,
)

CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[AdminError], int] = {
    UnknownError: 404,
    NotAllowedError: 403,
    StaleError: 412,
    ConflictError: 409,
    InvalidError: 422,
}

RETRY_AFTER = 5
"""Seconds."""

_log = structlog.get_logger()


class FieldError(BaseModel):
    """``field`` is a path such as credentials.bot_token, or the name of a header."""

    model_config = ConfigDict(frozen=True)

    field: str
    problem: str


class Problem(BaseModel):
    """RFC 9457. ``detail`` says what is wrong and what to do about it; ``errors`` says it of each field (422)."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


class ProblemError(Exception):
    """What is wrong with a request itself, whoever would have answered it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def problem(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    fields: Sequence[FieldProblem] = (),
) -> web.Response:
    document = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=tuple(FieldError(field=one.field, problem=one.problem) for one in fields),
    )
    return web.Response(
        status=status,
        body=document.model_dump_json(exclude=None if fields else {"errors"}).encode(),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a handler raised into its document."""
    try:
        return await handler(request)
    except (AdminError, ProblemError, StoreUnavailableError) as error:
        return _of_ours(error)
    except web.HTTPException as error:
        return _of_http(error)
    except Exception:  # noqa: BLE001 - the boundary of a request: whoever asked hears of it, the process goes on
        _log.exception("api broke", route=_route(request))
        return problem(500, "a bug; the gateway's log says where")


def _of_ours(error: AdminError | ProblemError | StoreUnavailableError) -> web.Response:
    match error:
        case InvalidError(problems=fields):
            return problem(STATUS[InvalidError], str(error), fields=fields)
        case AdminError():
            return problem(STATUS[type(error)], str(error))
        case ProblemError(status=status, headers=headers):
            return problem(status, str(error), headers=headers)
        case StoreUnavailableError():
            _log.warning("api request not served", cause=str(error))
            again = {"Retry-After": str(RETRY_AFTER)}
            return problem(503, "the store is not available; try again", headers=again)


def _of_http(error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPMethodNotAllowed(allowed_methods=methods):
            allowed = ", ".join(sorted(methods))
            return problem(405, f"use {allowed}", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return problem(404, "the API has no such path")
        case _:
            return problem(error.status, error.text or error.reason)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '?'}"
