"""A span for each question to a model: ``chat MODEL``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from conversation.providers.port import Answered, Prompt, Provider, ProviderError
from gateway.tracing import names
from gateway.tracing.port import Model


class TracedProvider:
    """``conversation.providers.port.Provider``. The span is not made the current one: who reads a stream does so in
    a context of its own, which a generator must leave alone.
    """

    def __init__(self, provider: Provider, model: Model, tracer: Tracer) -> None:
        self._provider = provider
        self._tracer = tracer
        self._name = f"chat {model.name}"
        self._attributes: dict[str, AttributeValue] = {
            names.OPERATION: "chat",
            names.PROVIDER: model.provider,
            names.REQUEST_MODEL: model.name,
            names.REQUEST_STREAM: True,
        }
        host, port = model.server
        if host:
            self._attributes[names.SERVER] = host
        if port is not None:
            self._attributes[names.SERVER_PORT] = port

    def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        return self._stream(prompt)

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        span = self._tracer.start_span(self._name, kind=SpanKind.CLIENT, attributes=self._attributes)

        def told(answered: Answered) -> None:
            _describe(span, answered)
            if prompt.told is not None:
                prompt.told(answered)

        asked_at, begun = time.perf_counter(), False
        try:
            async with aclosing(self._provider.stream(replace(prompt, told=told))) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        span.set_attribute(names.FIRST_CHUNK, time.perf_counter() - asked_at)
                    yield piece
        except ProviderError as failure:
            span.set_attribute(names.ERROR, failure.reason.value)
            span.set_status(Status(StatusCode.ERROR, failure.detail))
            raise
        except (asyncio.CancelledError, GeneratorExit):  # out of time, or stopped: the turn knows which
            span.set_attribute(names.ERROR, "cancelled")
            raise
        except Exception as bug:
            span.set_attribute(names.ERROR, type(bug).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    async def check(self, *, live: bool) -> str:
        return await self._provider.check(live=live)

    async def close(self) -> None:
        await self._provider.close()


def _describe(span: Span, answered: Answered) -> None:
    texts = ((names.RESPONSE_ID, answered.id), (names.RESPONSE_MODEL, answered.model))
    for name, text in texts:
        if text:
            span.set_attribute(name, text)
    if answered.finish_reason:
        span.set_attribute(names.FINISH_REASONS, (answered.finish_reason,))
    counts = (
        (names.INPUT_TOKENS, answered.input_tokens),
        (names.OUTPUT_TOKENS, answered.output_tokens),
        (names.CACHED_TOKENS, answered.cached_tokens),
        (names.REASONING_TOKENS, answered.reasoning_tokens),
    )
    for name, count in counts:
        if count is not None:
            span.set_attribute(name, count)
