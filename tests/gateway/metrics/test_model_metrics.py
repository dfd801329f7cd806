"""What is told of models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from conversation.providers.port import Answered, Entry, Prompt, Provider, ProviderError
from conversation.turn import Reason
from gateway.metrics import Metrics
from tests.gateway.metrics.samples import Samples, exposed, of

LABELS = {
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "made-up",
}
DURATION = "gen_ai_client_operation_duration_seconds_count"
FIRST = "gen_ai_client_operation_time_to_first_chunk_seconds_count"


class Model:
    """Says two words, then fails as told, or hangs."""

    def __init__(self, failure: Exception | None = None, *, hangs: bool = False) -> None:
        self._failure = failure
        self._hangs = hangs

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        try:
            yield "well "
            if self._hangs:
                await asyncio.Event().wait()
            yield "then"
            if self._failure is not None:
                raise self._failure
        finally:
            if prompt.told is not None:
                prompt.told(Answered(model="made-up-1", input_tokens=20, output_tokens=5))

    async def check(self, *, live: bool) -> str:
        return f"live: {live}"

    async def close(self) -> None:
        """Nothing is open."""


async def said(provider: Provider, prompt: Prompt) -> list[str]:
    async with aclosing(provider.stream(prompt)) as pieces:
        return [piece async for piece in pieces]


async def asked(model: Model, told: list[Answered] | None = None) -> tuple[Samples, list[str]]:
    metrics = Metrics()
    provider = metrics.models.measured(model, "openai", "made-up")
    prompt = Prompt("", (Entry("user", "hi"),), None if told is None else told.append)
    heard: list[str] = []
    try:
        async with asyncio.timeout(0.05):
            heard = await said(provider, prompt)
    except (ProviderError, ZeroDivisionError, TimeoutError):
        pass
    return await exposed(metrics), heard


async def test_an_answer_is_timed_and_its_tokens_are_counted_whoever_else_is_told() -> None:
    told: list[Answered] = []
    samples, heard = await asked(Model(), told)
    assert heard == ["well ", "then"]
    assert of(samples, DURATION, **LABELS, error_type="") == 1
    assert of(samples, FIRST, **LABELS) == 1
    for kind, tokens in (("input", 20), ("output", 5)):
        assert of(samples, "gen_ai_client_token_usage_sum", **LABELS, gen_ai_token_type=kind) == tokens
    assert [answered.output_tokens for answered in told] == [5]


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (Model(ProviderError(Reason.MODEL_RATE_LIMITED, "429")), "model_rate_limited"),
        (Model(ZeroDivisionError()), "bug"),
        (Model(hangs=True), "cancelled"),
    ],
)
async def test_an_answer_that_did_not_end_well_is_timed_under_its_reason(model: Model, error: str) -> None:
    samples, _ = await asked(model)
    assert of(samples, DURATION, **LABELS, error_type=error) == 1
    assert of(samples, DURATION, **LABELS, error_type="") is None
    assert of(samples, FIRST, **LABELS) == 1


async def test_a_measured_model_is_checked_and_closed_as_it_was() -> None:
    provider = Metrics().models.measured(Model(), "openai", "made-up")
    assert await provider.check(live=True) == "live: True"
    await provider.close()
