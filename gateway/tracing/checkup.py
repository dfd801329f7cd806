"""``turnkeeper check``: whether the collector takes traces."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import unquote

import aiohttp

from channels.port import Finding
from gateway.tracing.destination import INSTALL, Destination, destination, unusable

PATIENCE = 10.0
"""Seconds, as the exporter has."""

_SUBJECT = "traces"
_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "; put what it asks for into telemetry.otlp_headers",
    HTTPStatus.FORBIDDEN: "; put what it asks for into telemetry.otlp_headers",
    HTTPStatus.NOT_FOUND: "; is it the port for OTLP over HTTP (4318)?",
}


async def examined(
    configured: Destination, environ: Mapping[str, str], http: aiohttp.ClientSession
) -> Finding | None:
    """None if nothing is to be traced."""
    to = destination(configured, environ)
    if to is None:
        return None
    if not to.endpoint and (fault := unusable(environ)):
        return Finding(_SUBJECT, ok=False, detail=fault)
    if not _installed():
        return Finding(_SUBJECT, ok=False, detail=f"there is no OpenTelemetry; {INSTALL}")
    url = to.url or _url(environ)
    headers = {**_headers(environ), **to.headers, "Content-Type": "application/x-protobuf"}
    try:
        async with http.post(
            url,
            data=b"",  # a request with no spans
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
            allow_redirects=False,
        ) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        detail = f"{url} cannot be reached ({type(error).__name__}); replies go on without"
        return Finding(_SUBJECT, ok=False, detail=detail)
    if status == HTTPStatus.OK:
        return Finding(_SUBJECT, ok=True, detail=f"{url} takes them")
    remedy = next((text for known, text in _REMEDIES.items() if known == status), "")
    return Finding(_SUBJECT, ok=False, detail=f"{url} answers HTTP {status}{remedy}")


def _installed() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _url(environ: Mapping[str, str]) -> str:
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    return whole or f"{environ.get('OTEL_EXPORTER_OTLP_ENDPOINT', '').rstrip('/')}/v1/traces"


def _headers(environ: Mapping[str, str]) -> dict[str, str]:
    """As OpenTelemetry writes them: name=value, comma-separated, percent-encoded."""
    given = environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (pair.partition("=") for pair in given.split(","))
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
