"""What a page says when it cannot do what was asked: each error of the services becomes an answer here."""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from conversation.stores.port import StoreUnavailableError
from gateway.admin.errors import (
    AdminError,
    ConflictError,
    InvalidError,
    NotAllowedError,
    StaleError,
    UnknownError,
)
from gateway.console.pages import WHO, Pages
from gateway.console.preferences import preferences
from gateway.console.texts import Say

_STATUS: dict[type[AdminError], int] = {
    UnknownError: 404,
    NotAllowedError: 403,
    StaleError: 412,
    ConflictError: 409,
    InvalidError: 422,
}

_log = structlog.get_logger()


def told(pages: Pages) -> Middleware:
    """Turns what a page raised into a page that says so, and what to do."""

    def answer(request: web.Request, status: int, detail: str) -> web.Response:
        say = Say(preferences(request).language)
        template = "problem.html" if WHO in request else "problem_door.html"
        return pages.page(
            request,
            template,
            status=status,
            title=say.either(f"problem.{status}", say("problem.other")),
            detail=detail or say.either(f"problem.{status}.detail", ""),
            remedy=say.either(f"problem.{status}.remedy", ""),
            back=_back(request),
        )

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except AdminError as error:
            return answer(request, _STATUS.get(type(error), 400), _sentence(str(error)))
        except StoreUnavailableError as error:
            _log.warning("console page not served", cause=str(error))
            response = answer(request, 503, "")
            response.headers["Retry-After"] = "5"
            return response
        except web.HTTPException as error:
            if error.status < 400:  # noqa: PLR2004 - no error
                raise
            said = error.text if isinstance(error, web.HTTPForbidden) else ""
            response = answer(request, error.status, said or "")
            response.headers.update(
                {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
            )
            return response
        except ConnectionResetError:
            raise
        except Exception:  # noqa: BLE001 - the boundary of a request: whoever asked hears of it, the process goes on
            _log.exception("console broke", route=_route(request))
            return answer(request, 500, "")

    return tell


def _back(request: web.Request) -> str:
    """A page that will show: the list that the address belongs to."""
    section = request.path.split("/")[2] if request.path.count("/") > 1 else ""
    known = {
        "bots",
        "agents",
        "conversations",
        "turns",
        "dead-letters",
        "live",
        "tokens",
        "privacy",
        "playground",
    }
    return f"/console/{section}" if section in known and request.path.count("/") > 2 else "/console/"  # noqa: PLR2004


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource else '?'}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")
