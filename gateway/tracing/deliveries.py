"""A span for each thing that is asked of a platform for a turn: ``deliver open``, ``deliver close`` and so on.

Partial texts have none, unless one fails: an answer may have hundreds. ``deliver close`` tells their number and how
long the slowest took. What is written outside of a turn, such as notices of a full queue, has no trace.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span

from conversation.controls import Controls
from conversation.courtesies import Courtesies
from conversation.outbound import DeliveryError, LivePart, Outbound, PartRequest, ShownPart
from gateway.tracing import names

_Step = Literal["open", "resume", "find", "remove", "show", "close"]


class TracedOutbound:
    """``conversation.outbound.Outbound``"""

    def __init__(self, outbound: Outbound, tracer: Tracer) -> None:
        self._outbound = outbound
        self._tracer = tracer
        self.cut = outbound.cut
        self.steady = outbound.steady

    @property
    def courtesies(self) -> Courtesies | None:
        return self._outbound.courtesies

    @property
    def streams(self) -> bool:
        return self._outbound.streams

    @property
    def opens_early(self) -> bool:
        return self._outbound.opens_early

    @property
    def fate_known_after(self) -> float:
        return self._outbound.fate_known_after

    @property
    def repair_after(self) -> float | None:
        return self._outbound.repair_after

    async def open(self, part: PartRequest, text: str) -> LivePart:
        if not _in_a_turn():
            return await self._outbound.open(part, text)
        with _asked(self._tracer, "open", part):
            return _TracedPart(await self._outbound.open(part, text), part, self._tracer)

    async def resume(self, part: PartRequest, ref: str) -> LivePart:
        if not _in_a_turn():
            return await self._outbound.resume(part, ref)
        with _asked(self._tracer, "resume", part):
            return _TracedPart(await self._outbound.resume(part, ref), part, self._tracer)

    async def find(self, part: PartRequest) -> str | None:
        with _asked(self._tracer, "find", part):
            return await self._outbound.find(part)

    async def remove(self, part: PartRequest, ref: str) -> None:
        with _asked(self._tracer, "remove", part):
            await self._outbound.remove(part, ref)

    async def repair(
        self, parts: Sequence[ShownPart], strays: Sequence[str], quiet: Callable[[], Awaitable[int | None]]
    ) -> bool:
        return await self._outbound.repair(parts, strays, quiet)


class _TracedPart:
    def __init__(self, part: LivePart, request: PartRequest, tracer: Tracer) -> None:
        self._part = part
        self._request = request
        self._tracer = tracer
        self._updates = 0
        self._slowest = 0.0
        self.pace = part.pace
        self.working = part.working

    async def show(self, text: str) -> None:
        begun_at, begun = time.time_ns(), time.perf_counter()
        try:
            await self._part.show(text)
        except DeliveryError as trouble:
            with _asked(self._tracer, "show", self._request, begun_at) as span:
                _fail(span, trouble)
            raise
        self._updates += 1
        self._slowest = max(self._slowest, time.perf_counter() - begun)

    async def close(self, text: str, controls: Controls | None = None) -> None:
        with _asked(self._tracer, "close", self._request) as span:
            if self._updates:
                span.set_attribute(names.UPDATES, self._updates)
                span.set_attribute(names.SLOWEST_UPDATE, self._slowest)
            await self._part.close(text, controls)


def _in_a_turn() -> bool:
    return get_current_span().get_span_context().is_valid


@contextmanager
def _asked(tracer: Tracer, step: _Step, part: PartRequest, begun_at: int | None = None) -> Iterator[Span]:
    with tracer.start_as_current_span(
        f"deliver {step}",
        kind=SpanKind.CLIENT,
        attributes={names.PART: part.id},
        start_time=begun_at,
        record_exception=False,  # its text is set below; a stack may show more
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except DeliveryError as trouble:
            _fail(span, trouble)
            raise
        except Exception as error:
            span.set_attribute(names.ERROR, type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def _fail(span: Span, trouble: DeliveryError) -> None:
    """Texts of these errors hold no secret and nothing that somebody wrote: they are logged as well."""
    span.set_attribute(names.ERROR, type(trouble).__qualname__)
    span.set_status(Status(StatusCode.ERROR, str(trouble)))
