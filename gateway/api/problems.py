"""How the API says what went wrong: RFC 9457 problem documents, made in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict

from conversation.stores.port import StoreUnavailableError
from gateway.dead_letters import NotRetryableError, UnknownLetterError

CONTENT_TYPE = "application/problem+json"

_STATUS = {UnknownLetterError: 404, NotRetryableError: 409}

_log = structlog.get_logger()


class Problem(BaseModel):
    """``detail`` is a sentence that says what to do."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> web.Response:
    document = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return web.Response(
        status=status, body=document.model_dump_json().encode(), content_type=CONTENT_TYPE, headers=headers
    )


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a handler raised into its document."""
    try:
        return await handler(request)
    except (UnknownLetterError, NotRetryableError) as error:
        return problem(_STATUS[type(error)], str(error))
    except StoreUnavailableError as error:
        _log.warning("api request not served", cause=str(error))
        return problem(503, "the store is not available; try again", headers={"Retry-After": "5"})
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem(405, f"use {allowed}", headers={"Allow": allowed})
    except web.HTTPException as error:
        missing = isinstance(error, web.HTTPNotFound)
        return problem(error.status, "the API has no such path" if missing else error.reason)
    except Exception:  # noqa: BLE001 - the boundary of a request: whoever asked hears of it, the process goes on
        _log.exception("api broke", route=_route(request))
        return problem(500, "a bug; the gateway's log says where")


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '?'}"
