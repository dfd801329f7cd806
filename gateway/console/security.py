"""What every answer of the console carries, and which requests it refuses unseen.

Invariants:

- no page runs or loads anything that is not served from here, nor can it be framed;
- a request that changes something comes from one of the console's own pages: browsers say so in Fetch Metadata, older
  ones in ``Origin``. Who says neither is refused.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_SAFE = frozenset({"GET", "HEAD"})


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """For ``on_response_prepare``: streams and errors get them too."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def own_pages_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method not in _SAFE and not _from_here(request):
        raise web.HTTPForbidden(
            text="This request did not come from a page of this console. Open the console itself and try again."
        )
    return await handler(request)


def _from_here(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    try:
        origin = urlsplit(request.headers.get("Origin", ""))
    except ValueError:
        return False
    # The scheme is left out: a proxy that ends TLS hides it.
    return bool(origin.netloc) and origin.netloc.lower() == request.host.lower()


def keeps_secure_cookies(request: web.Request) -> bool:
    """Whether the browser will keep a cookie that is for HTTPS alone, as far as the request tells: it will over HTTPS
    and at localhost. Browsers send Fetch Metadata to such places only.
    """
    if "Sec-Fetch-Site" in request.headers or request.secure:
        return True
    if request.headers.get("X-Forwarded-Proto", "").lower() == "https":
        return True
    host = (urlsplit(f"//{request.host}").hostname or "").lower()
    return host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith("127.")


def own_path(wanted: str) -> str:
    """Where to go after signing in: ``wanted`` if that is a page of the console, else its first page."""
    plain = all(" " < character < "\x7f" for character in wanted)
    if plain and wanted.startswith("/console/") and not set(wanted) & set("\\<>\"'"):
        return wanted
    return "/console/"
