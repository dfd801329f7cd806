"""Where a trace goes on in another process, perhaps after the one before was killed.

A span's id is usually made up, and gone with its process. The ids of a turn's spans are made of the turn and the
attempt, so that the next attempt can link to the one before, which nobody had to store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, TraceFlags, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from conversation.turn import Turn

_foretold: ContextVar[tuple[int, int] | None] = ContextVar("foretold", default=None)
_w3c = TraceContextTextMapPropagator()


class Ids(RandomIdGenerator):
    """Random ones, but for a span that is begun within ``foretelling``."""

    def generate_trace_id(self) -> int:
        ids = _foretold.get()
        return super().generate_trace_id() if ids is None else ids[0]

    def generate_span_id(self) -> int:
        ids = _foretold.get()
        return super().generate_span_id() if ids is None else ids[1]


@contextmanager
def foretelling(turn: Turn) -> Iterator[None]:
    token = _foretold.set((_trace_id(turn), _span_id(turn, turn.attempt)))
    try:
        yield
    finally:
        _foretold.reset(token)


def traceparent() -> str:
    """Of the current span."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get("traceparent", "")


def admitted_in(turn: Turn) -> Context:
    """The span in which the turn's first message was admitted. Empty where that is not known: then each attempt
    begins the same trace.
    """
    return _context(turn.messages[0].traceparent)


def links(turn: Turn) -> tuple[Link, ...]:
    """To the attempt before, and to where the messages that were merged came from."""
    first = get_current_span(admitted_in(turn)).get_span_context()
    merged = [
        Link(came_from)
        for message in turn.messages[1:]
        if (came_from := get_current_span(_context(message.traceparent)).get_span_context()).is_valid
    ]
    if turn.attempt <= 1:
        return tuple(merged)
    before = SpanContext(
        first.trace_id if first.is_valid else _trace_id(turn),
        _span_id(turn, turn.attempt - 1),
        is_remote=True,
        trace_flags=first.trace_flags if first.is_valid else TraceFlags(TraceFlags.SAMPLED),
    )
    return (Link(before), *merged)


def _context(written: str) -> Context:
    return _w3c.extract({"traceparent": written}, context=Context()) if written else Context()


def _trace_id(turn: Turn) -> int:
    return _number(turn.id, 16)


def _span_id(turn: Turn, attempt: int) -> int:
    return _number(f"{turn.id}/{attempt}", 8)


def _number(source: str, size: int) -> int:
    """0 is no id; it would come once in 2⁶⁴ turns."""
    return int.from_bytes(hashlib.blake2b(source.encode(), digest_size=size, person=b"trace").digest()) or 1
