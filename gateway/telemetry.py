"""Logs: one JSON object a line on standard output, or coloured lines on a terminal.

Invariant: no log line holds a credential or a message text. Exceptions are logged as type and place, without
their message, because a library's message may quote what it was given.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_FRAMES = 8
"""Innermost frames of an exception that are logged."""

WAITING = 10_000
"""Log lines that may wait to be written; further ones are dropped."""

CLOSING_PATIENCE = 2.0
"""Seconds in which the last lines have to be written when the process ends."""

_log = structlog.get_logger()


def configure(stream: TextIO = sys.stdout) -> None:
    """Set up logging for this process; libraries that use the standard library's logging are included."""
    lines = _Lines(stream)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_span,
        without_values,
    ]
    renderer: Processor
    if stream.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    else:
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _Lines:
    """Writes lines in a thread of its own, or drops them: a log that nobody reads, or that cannot be written,
    must not stop a message.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: queue.Queue[str | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self._close)

    def write(self, text: str) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(text)

    def flush(self) -> None:
        """For logging.StreamHandler: the thread flushes."""

    def msg(self, line: str) -> None:
        self.write(f"{line}\n")

    debug = info = warning = error = critical = msg

    def _run(self) -> None:
        while (text := self._waiting.get()) is not None:
            with contextlib.suppress(OSError):
                self._stream.write(text)
                self._stream.flush()

    def _close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
            self._thread.join(timeout=CLOSING_PATIENCE)


def report_to_log(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop report what nobody caught as the log allows it: asyncio's own report quotes the exception."""

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # Any: asyncio's own signature
        _log.error("uncaught", cause=str(context["message"]), exc_info=context.get("exception"))

    loop.set_exception_handler(report)


class _Spans:
    """How the current span is named; nothing is traced where there is no way."""

    current: Callable[[], tuple[str, str] | None] | None = None


def name_spans(current: Callable[[], tuple[str, str] | None] | None) -> None:
    """From now on lines tell trace and span, by their ids in hexadecimal, that ``current`` gives."""
    _Spans.current = current


def with_span(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add trace_id and span_id of the span in which the line is written, if there is one."""
    if _Spans.current is not None and (ids := _Spans.current()) is not None:
        event["trace_id"], event["span_id"] = ids
    return event


def without_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by the exception's type and the places it passed."""
    match event.pop("exc_info", None):
        case True:
            error = sys.exc_info()[1]
        case (_, error, _):
            pass
        case error:
            pass
    while isinstance(error, BaseExceptionGroup):  # the first cause says more than that there were several
        error = error.exceptions[0]
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["exception"] = type(error).__qualname__
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()
