"""Sends spans to a collector, in a thread of its own.

Invariants:

- no reply waits for it: spans go through a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048), which drops the oldest;
- at the end what is in the queue has ``FLUSHED_WITHIN`` to leave, however long a collector takes to answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import get_current_span
from typing_extensions import override

from gateway import __version__, telemetry
from gateway.tracing.destination import Destination
from gateway.tracing.ids import Ids
from gateway.tracing.spans import Spans

FLUSHED_WITHIN = 3.0
"""Seconds. Part of what a process takes to end after its drain."""

_LONGEST_CAUSE = 300

_log = structlog.get_logger()


@asynccontextmanager
async def exported(to: Destination) -> AsyncIterator[Spans]:
    exporter = OTLPSpanExporter(endpoint=to.url or None, headers=dict(to.headers) or None)
    sampler = None if to.sample is None else ParentBased(TraceIdRatioBased(to.sample))
    hearsay = _Hearsay()
    library = logging.getLogger(OTLPSpanExporter.__module__)
    library.addFilter(hearsay)
    try:
        async with traced(BatchSpanProcessor(_Reported(exporter, hearsay)), sampler) as spans:
            yield spans
    finally:
        library.removeFilter(hearsay)


class _Hearsay(logging.Filter):
    """Keeps the library's lines about each try from the log, and the last of them for ours."""

    last = ""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        self.last = record.getMessage()[:_LONGEST_CAUSE]
        return False


class _Reported(SpanExporter):
    """Says once that the collector takes nothing, and once that it does again."""

    def __init__(self, exporter: SpanExporter, hearsay: _Hearsay) -> None:
        self._exporter = exporter
        self._hearsay = hearsay
        self._lost = 0

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                _log.warning("traces not taken", cause=self._hearsay.last)
            self._lost += len(spans)
        elif self._lost:
            _log.info("traces taken again", lost=self._lost)
            self._lost = 0
        return result

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


@asynccontextmanager
async def traced(processor: SpanProcessor, sampler: Sampler | None = None) -> AsyncIterator[Spans]:
    """Spans go to ``processor``, and their ids into the log, until the context ends."""
    provider = TracerProvider(
        sampler=sampler, resource=_resource(), shutdown_on_exit=False, id_generator=Ids()
    )
    provider.add_span_processor(processor)
    telemetry.name_spans(_ids)
    try:
        yield Spans(provider.get_tracer("turnkeeper", __version__))
    finally:
        telemetry.name_spans(None)
        await _within(FLUSHED_WITHIN, provider.shutdown)


def _ids() -> tuple[str, str] | None:
    """Of the current span, as they are shown."""
    context = get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def _resource() -> Resource:
    """Who this is, as far as the environment does not say."""
    attributes = {"service.version": __version__, "service.instance.id": socket.gethostname()}
    named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not (named or os.environ.get("OTEL_SERVICE_NAME")):
        attributes["service.name"] = "turnkeeper"
    return Resource.create(attributes)


async def _within(seconds: float, work: Callable[[], None]) -> None:
    """Not by the loop's own threads, for which a process waits at its end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        work()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="last spans", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        _log.warning("last spans lost", cause=f"the collector did not take them within {seconds:g} s")
