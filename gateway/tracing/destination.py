"""Where traces go: to what the configuration names, else to what OpenTelemetry's own environment variables name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from gateway.tracing.port import Tracing, Untraced

INSTALL = "install turnkeeper[otel]; the container image has it"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Destination:
    """``endpoint`` takes OTLP over HTTP below ``/v1/traces``; empty: as the environment says. ``sample``: the share
    of traces that is kept; None: as the environment says.
    """

    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    sample: float | None = None

    @property
    def url(self) -> str:
        """Empty as ``endpoint``."""
        return f"{self.endpoint.rstrip('/')}/v1/traces" if self.endpoint else ""


def destination(configured: Destination, environ: Mapping[str, str]) -> Destination | None:
    """None if nothing is to be traced."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if configured.endpoint:
        return configured
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() not in {"otlp", ""}:
        return None
    named = any(environ.get(name) for name in _ENDPOINTS)
    return configured if named else None


def unusable(environ: Mapping[str, str]) -> str:
    """What of the environment cannot be followed, with the remedy; empty if nothing."""
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if environ.get(name, "") not in {"", "http/protobuf"}:
            return f"{name}: only http/protobuf is spoken here; set it so, and the endpoint's port to 4318"
    return ""


@asynccontextmanager
async def tracing(configured: Destination, environ: Mapping[str, str]) -> AsyncIterator[Tracing]:
    """Until the context ends. Whatever is wrong with it, the gateway runs: untraced, with a line in the log."""
    to = destination(configured, environ)
    if to is None:
        yield Untraced()
        return
    if not to.endpoint and (fault := unusable(environ)):
        _log.warning("traces off", cause=fault)
        yield Untraced()
        return
    try:
        from gateway.tracing.exporting import exported  # noqa: PLC0415 - only who traces pays for it
    except ModuleNotFoundError as missing:
        _log.warning("traces off", cause=f"there is no {missing.name}; {INSTALL}")
        yield Untraced()
        return
    async with exported(to) as spans:
        yield spans


_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
