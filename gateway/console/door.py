"""The door: signing in and out, and who gets past.

Invariant: every page but those listed here has somebody signed in, under ``WHO``.
"""

from __future__ import annotations

import base64
import binascii
import math
from urllib.parse import quote

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import TypeAdapter, ValidationError

from gateway.admin.access import Principal
from gateway.admin.attempts import Attempts
from gateway.admin.audit import Audit
from gateway.console.oidc import Attempt, IdentityProvider, SignInError
from gateway.console.pages import WHO, Pages
from gateway.console.preferences import keep, preferences
from gateway.console.security import keeps_secure_cookies, own_path
from gateway.console.sessions import COOKIE, LASTS, Sessions
from gateway.console.texts import text

ATTEMPT_COOKIE = "__Host-turnkeeper-sign-in"
_ATTEMPT_LASTS = 600
_OPEN = ("/console/sign-in", "/console/static/", "/console/preferences")

_attempts = TypeAdapter(Attempt)
_log = structlog.get_logger()


class Door:
    """People sign in with a token, or at ``provider``."""

    def __init__(
        self,
        sessions: Sessions,
        audit: Audit,
        attempts: Attempts,
        pages: Pages,
        *,
        provider: IdentityProvider | None,
    ) -> None:
        self._sessions = sessions
        self._audit = audit
        self._attempts = attempts
        self._pages = pages
        self._provider = provider

    def routes(self) -> list[web.RouteDef]:
        routes = [
            web.get("/sign-in", self._show),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.post("/preferences", self._prefer),
        ]
        if self._provider is not None:
            routes += [
                web.get("/sign-in/oidc", self._leave_for_provider),
                web.get("/sign-in/oidc/back", self._back_from_provider),
            ]
        return routes

    def keeper(self) -> Middleware:
        @web.middleware
        async def keep_out(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith(_OPEN):
                return await handler(request)
            cookie = request.cookies.get(COOKIE)
            who = await self._sessions.who(cookie) if cookie else None
            if who is None:
                return self._ask(request, ended=cookie is not None)
            request[WHO] = who
            return await handler(request)

        return keep_out

    async def still_in(self, request: web.Request) -> bool:
        """For answers that go on for long."""
        return await self._sessions.who(request.cookies.get(COOKIE, "")) == request[WHO]

    def _ask(self, request: web.Request, *, ended: bool) -> web.Response:
        wanted = request.path_qs if request.method == "GET" else "/console/"
        query = f"?next={quote(wanted, safe='/')}" if own_path(wanted) != "/console/" else ""
        if ended:
            query += f"{'&' if query else '?'}ended=1"
        response = web.Response(status=303, headers={"Location": f"/console/sign-in{query}"})
        if ended:
            _drop(response, COOKIE)
        return response

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, own_path(request.query.get("next", "")))

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        wanted, token = own_path(str(form.get("next", ""))), str(form.get("token", "")).strip()
        language = preferences(request).language
        address = request.remote or ""
        wait = self._attempts.wait(address, token)
        if wait:
            problem = text(language, "sign.slow", seconds=math.ceil(wait))
            response = self._page(request, wanted, problem=problem, status=429)
            response.headers["Retry-After"] = str(math.ceil(wait))
            return response
        begun = await self._sessions.begin_with_token(token)
        if begun is None:
            self._attempts.failed(address)
            _log.warning("console sign-in refused", cause="the token is wrong")
            return self._page(request, wanted, problem=text(language, "sign.wrong"), status=401)
        self._attempts.succeeded(address, token)
        cookie, who = begun
        await self._audit.record(who, "session.begun", "console")
        return _let_in(cookie, wanted)

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        await self._sessions.end(request.cookies.get(COOKIE, ""))
        response = web.Response(status=303, headers={"Location": "/console/sign-in"})
        _drop(response, COOKIE)
        return response

    async def _prefer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        response = web.Response(status=303, headers={"Location": own_path(str(form.get("next", "")))})
        keep(response, language=form.get("language"), theme=form.get("theme"))
        return response

    async def _leave_for_provider(self, request: web.Request) -> web.StreamResponse:
        assert self._provider is not None
        attempt = Attempt.begin(own_path(request.query.get("next", "")))
        try:
            url = await self._provider.begin(attempt, self._callback(request))
        except SignInError as error:
            return self._page(request, attempt.next, problem=_sentence(error), status=502)
        response = web.Response(status=303, headers={"Location": url})
        _set(response, ATTEMPT_COOKIE, _packed(attempt), _ATTEMPT_LASTS)
        return response

    async def _back_from_provider(self, request: web.Request) -> web.StreamResponse:
        attempt = _unpacked(request.cookies.get(ATTEMPT_COOKIE, ""))
        try:
            cookie, who = await self._let_back(request, attempt)
        except SignInError as error:
            response = self._page(request, "/console/", problem=_sentence(error), status=403)
        else:
            await self._audit.record(who, "session.begun", "console")
            response = _let_in(cookie, own_path(attempt.next if attempt else ""))
        _drop(response, ATTEMPT_COOKIE)
        return response

    async def _let_back(self, request: web.Request, attempt: Attempt | None) -> tuple[str, Principal]:
        """A session for who came back. Raises SignInError."""
        assert self._provider is not None
        if attempt is None:
            raise SignInError("this sign-in was begun in another window, or long ago; sign in again")
        person = await self._provider.finish(attempt, request.query, self._callback(request))
        begun = await self._sessions.begin_with_person(person)
        if begun is None:
            raise SignInError("no role is mapped to your account; ask an admin to add it to admin.oidc.roles")
        return begun

    def _page(self, request: web.Request, next: str, *, problem: str = "", status: int = 200) -> web.Response:
        return self._pages.page(
            request,
            "sign_in.html",
            status=status,
            next=next,
            problem=problem,
            ended="ended" in request.query and not problem,
            insecure=not keeps_secure_cookies(request),
            oidc=self._provider is not None,
        )

    def _callback(self, request: web.Request) -> str:
        """Where the provider sends the browser back to: the same host, or the cookie would not come along. It accepts
        registered addresses alone.
        """
        proxied = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        origin = f"{'https' if proxied or request.secure else 'http'}://{request.host}"
        return f"{origin}/console/sign-in/oidc/back"


def _let_in(cookie: str, next: str) -> web.Response:
    response = web.Response(status=303, headers={"Location": next})
    _set(response, COOKIE, cookie, int(LASTS))
    return response


def _set(response: web.Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")


def _drop(response: web.Response, name: str) -> None:
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")


def _packed(attempt: Attempt) -> str:
    return base64.urlsafe_b64encode(_attempts.dump_json(attempt)).decode()


def _unpacked(written: str) -> Attempt | None:
    try:
        return _attempts.validate_json(base64.urlsafe_b64decode(written))
    except (binascii.Error, ValidationError, ValueError):
        return None


def _sentence(error: SignInError) -> str:
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."
