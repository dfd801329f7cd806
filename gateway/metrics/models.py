"""Models: how long they think, and how many tokens they take. Names as in OpenTelemetry's conventions for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

from prometheus_client.core import Metric

from conversation.providers.port import Answered, Prompt, Provider, ProviderError
from gateway.metrics.families import Histograms

_SECONDS = tuple(0.01 * 2**step for step in range(14))
_TOKENS = tuple(4.0**step for step in range(14))
"""Bounds: docs: semantic conventions for generative AI, "Metrics"."""

_LABELS = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"]


class ModelMetrics:
    def __init__(self) -> None:
        self.durations = Histograms(
            "gen_ai_client_operation_duration_seconds",
            "Time from a request to a model to the end of its answer. error_type: empty, the reason of a notice, or"
            " cancelled: stopped by the person or by a timeout of ours.",
            [*_LABELS, "error_type"],
            _SECONDS,
        )
        self.first_chunks = Histograms(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time from a request to a model to the first piece of its text.",
            _LABELS,
            _SECONDS,
        )
        self.tokens = Histograms(
            "gen_ai_client_token_usage",
            "Tokens of a request to a model, as the model's server counted them. Type: input or output.",
            [*_LABELS, "gen_ai_token_type"],
            _TOKENS,
            only_observed=True,
        )

    def measured(self, provider: Provider, service: str, model: str) -> Provider:
        return _MeasuredProvider(provider, ("chat", service, model), self)

    def collect(self) -> Iterator[Metric]:
        for family in (self.durations, self.first_chunks, self.tokens):
            yield from family.collect()


class _MeasuredProvider:
    """``conversation.providers.port.Provider``"""

    def __init__(self, provider: Provider, labels: tuple[str, str, str], metrics: ModelMetrics) -> None:
        self._provider = provider
        self._labels = labels
        self._durations = metrics.durations
        self._first_chunk = metrics.first_chunks.of(*labels)
        self._input = metrics.tokens.of(*labels, "input")
        self._output = metrics.tokens.of(*labels, "output")

    def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        return self._stream(prompt)

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        def told(answered: Answered) -> None:
            self._count(answered)
            if prompt.told is not None:
                prompt.told(answered)

        asked_at, begun, error = time.perf_counter(), False, ""
        try:
            async with aclosing(self._provider.stream(replace(prompt, told=told))) as pieces:
                async for piece in pieces:
                    if not begun:
                        begun = True
                        self._first_chunk.observe(time.perf_counter() - asked_at)
                    yield piece
        except ProviderError as failure:
            error = failure.reason
            raise
        except (asyncio.CancelledError, GeneratorExit):  # out of time, or stopped: the turn knows which
            error = "cancelled"
            raise
        except Exception:
            error = "bug"
            raise
        finally:
            self._durations.of(*self._labels, error).observe(time.perf_counter() - asked_at)

    def _count(self, answered: Answered) -> None:
        if answered.input_tokens is not None:
            self._input.observe(answered.input_tokens)
        if answered.output_tokens is not None:
            self._output.observe(answered.output_tokens)

    async def check(self, *, live: bool) -> str:
        return await self._provider.check(live=live)

    async def close(self) -> None:
        await self._provider.close()
