"""Which gateway a command asks, and with which token."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.commands.errors import CommandError
from gateway.settings import Settings

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where such a server is reached


def address_of(settings: Settings) -> str | None:
    """Where the API of a gateway with these settings is reached from its own machine; None if it took any port."""
    host, port = settings.admin.address or (settings.server.host, settings.server.port)
    if not port:
        return None
    host = _LOOPBACK.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def checked(url: str) -> str:
    """What was given with --url. Raises CommandError."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise CommandError("--url must be an address such as http://127.0.0.1:8080")
    return url
