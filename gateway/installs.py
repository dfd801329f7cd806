"""The pages by which a person installs a bot in a workspace: ``/slack/{bot}/install``, and the way back.

Invariants: what Slack appends to the way back (a code, the state) is in no log and no page, and is passed to no other
site; the browser that began is the one that ends; nothing here needs a script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets

import structlog
from aiohttp import web

from channels.installing import Installed, Installer, InstallError, Trouble
from gateway.hosting import Hosting
from gateway.install_texts import WORDS, Language, language_of

COOKIE = "turnkeeper-install"
_BROWSER = re.compile(r"[A-Za-z0-9_-]{32}")
_AGE = 900
"""Seconds for which a browser is known again."""

_STATUS = {
    Trouble.NOT_READY: 503,
    Trouble.EXPIRED: 400,
    Trouble.DENIED: 403,
    Trouble.REFUSED: 502,
    Trouble.UNAVAILABLE: 503,
}
_STYLE = (
    ":root{color-scheme:light dark;font:17px/1.55 system-ui,sans-serif}"
    "main{max-width:32rem;margin:18vh auto 0;padding:0 1.25rem}h1{font-size:1.5rem;margin:0 0 .5rem}"
    "a{display:inline-block;margin-top:.5rem;padding:.55rem 1rem;border:1px solid;border-radius:.5rem;"
    "color:inherit;text-decoration:none}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_log = structlog.get_logger()


class Installs:
    """``secure``: browsers reach the gateway by https."""

    def __init__(self, hosting: Hosting, *, secure: bool) -> None:
        self._hosting = hosting
        self._secure = secure

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/slack/{bot}/install", self._begin),
            web.get("/slack/{bot}/oauth_redirect", self._finish),
        ]

    async def _begin(self, request: web.Request) -> web.Response:
        installer = self._installer(request)
        known = request.cookies.get(COOKIE, "")
        browser = known if _BROWSER.fullmatch(known) else secrets.token_urlsafe(24)
        try:
            answer = web.Response(status=302, headers={"Location": installer.begin(browser), **_HEADERS})
        except InstallError as error:
            return self._failed(request, error)
        answer.set_cookie(
            COOKIE,
            browser,
            max_age=_AGE,
            path=f"/slack/{request.match_info['bot']}/",
            httponly=True,
            secure=self._secure,
            samesite="Lax",
        )
        return answer

    async def _finish(self, request: web.Request) -> web.Response:
        try:
            installed = await self._installer(request).finish(request.query, request.cookies.get(COOKIE, ""))
        except InstallError as error:
            return self._failed(request, error)
        language = _language(request)
        return _page(language, _done(language, installed), 200)

    def _installer(self, request: web.Request) -> Installer:
        hosted = self._hosting.routes.get(("slack", request.match_info["bot"]))
        installer = None if hosted is None else hosted.channel.installer
        if installer is None:
            raise web.HTTPNotFound(text="there is nothing to install here")
        return installer

    def _failed(self, request: web.Request, error: InstallError) -> web.Response:
        bot = request.match_info["bot"]
        _log.warning("not installed", bot=bot, trouble=error.trouble.value, cause=error.detail)
        language = _language(request)
        words = WORDS[language]
        again = "" if error.trouble is Trouble.NOT_READY else _link(f"/slack/{bot}/install", words.again)
        body = f"<h1>{words.failed}</h1><p>{words.troubles[error.trouble]}</p>{again}"
        return _page(language, body, _STATUS[error.trouble])


def _done(language: Language, installed: Installed) -> str:
    words = WORDS[language]
    told = words.done.format(name=html.escape(installed.name or "Slack"))
    return f"<h1>{words.installed}</h1><p>{told}</p>{_link(installed.open_url, words.open)}"


def _link(url: str, text: str) -> str:
    return f'<p><a rel="noreferrer" href="{html.escape(url)}">{text}</a></p>'


def _page(language: Language, body: str, status: int) -> web.Response:
    title = "Turnkeeper"
    page = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style><main>{body}</main></html>"
    )
    return web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)


def _language(request: web.Request) -> Language:
    return language_of(request.headers.get("Accept-Language", ""))
