"""The model client before an outside judge: llmock breaks answers, and grades what the client does about it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from conversation.providers.openai import OpenAIProvider
from conversation.providers.port import Entry, Prompt, Provider, ProviderError
from conversation.turn import Reason
from tests.ports import free_port

LLMOCK = Path(sys.executable).with_name("llmock")
ATTEMPTS = 3


class Judge:
    """A running llmock. Faults are scripted, so that every run sees the same ones."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def breaks_next(self, **behaviour: object) -> None:
        async with self._http.post(
            f"{self.url}/_llmock/scenario", json={"behaviors": [behaviour]}, raise_for_status=True
        ):
            pass

    async def report(self) -> tuple[int, str]:
        """The exit status of ``llmock report`` and what it says."""
        process = await asyncio.create_subprocess_exec(
            LLMOCK,
            "report",
            "--url",
            self.url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def judge(http: aiohttp.ClientSession) -> AsyncIterator[Judge]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        LLMOCK, "serve", "--port", str(port), "--response-style", "echo", "--log-level", "error",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        judge = Judge(f"http://127.0.0.1:{port}", http)
        async with asyncio.timeout(30):
            await until_it_answers(judge.url, http)
        yield judge
    finally:
        process.terminate()
        await process.wait()


async def until_it_answers(url: str, http: aiohttp.ClientSession) -> None:
    while True:
        try:
            async with http.get(f"{url}/health"):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)  # another process: there is nothing to wait for but its port


@pytest.fixture
def provider(judge: Judge, http: aiohttp.ClientSession) -> Provider:
    return OpenAIProvider(model="gpt-4o", base_url=f"{judge.url}/v1", api_key="sk-judged", http=http)


async def answer(provider: Provider, question: str, begun: Callable[[], None] = lambda: None) -> str:
    """As the executor asks: again only where the provider says that it may help, and not before it says."""
    for attempt in range(1, ATTEMPTS + 1):
        pieces: list[str] = []
        try:
            async for piece in provider.stream(Prompt("", (Entry("user", question),))):
                pieces.append(piece)
                begun()
        except ProviderError as error:
            if error.retry_after is None or attempt == ATTEMPTS:
                raise
            await asyncio.sleep(max(error.retry_after, 0.1 * 2**attempt))
        else:
            return "".join(pieces)
    raise AssertionError


async def test_the_judge_finds_no_fault_in_how_broken_answers_are_treated(
    judge: Judge, provider: Provider
) -> None:
    overcome: tuple[dict[str, object], ...] = (
        {"type": "fail", "status": 429, "retry_after": 1, "times": 2},
        {"type": "fail", "status": 429},
        {"type": "fail", "status": 503, "times": 2},
        {"type": "stream_fault", "kind": "truncate", "after_chunks": 0},
        {"type": "stream_fault", "kind": "truncate", "after_chunks": 1},
        {"type": "stream_fault", "kind": "disconnect", "after_chunks": 0},
        {"type": "stream_fault", "kind": "disconnect", "after_chunks": 1, "times": 2},
        {"type": "stream_fault", "kind": "malformed", "after_chunks": 1},
        {"type": "slow_first_token", "seconds": 0.2},
    )
    for number, behaviour in enumerate(overcome):
        await judge.breaks_next(**behaviour)
        question = f"please repeat these words {number}"
        assert question in await answer(provider, question)

    final: tuple[dict[str, object], ...] = (
        {"type": "fail", "status": 400},
        {"type": "fail", "status": 401},
        {"type": "fail", "status": 404},
        {"type": "stream_fault", "kind": "disconnect", "after_chunks": 3},
        {"type": "stream_fault", "kind": "malformed", "after_chunks": 3},
    )
    for number, behaviour in enumerate(final):
        await judge.breaks_next(**behaviour)
        with pytest.raises(ProviderError) as caught:
            await answer(provider, f"please repeat these other words {number}")
        assert caught.value.retry_after is None

    status, verdict = await judge.report()

    assert status == 0, verdict
    calls = len(overcome) + len(final)
    # On a slow machine the judge takes a late second attempt for a call of its own.
    judged = re.search(r"(\d+) call\(s\)", verdict)
    assert judged is not None
    assert int(judged[1]) >= calls, "the judge did not see what this test believes to have shown"


async def test_an_answer_truncated_after_its_first_words_is_an_error(
    judge: Judge, provider: Provider
) -> None:
    """Not put before the judge: to it, a truncated answer that is not asked for again was accepted.

    We do not ask again once words were seen; the error becomes a notice under them.
    """
    seen: list[bool] = []
    await judge.breaks_next(type="stream_fault", kind="truncate", after_chunks=3)

    with pytest.raises(ProviderError) as caught:
        await answer(provider, "please repeat these words", lambda: seen.append(True))

    assert seen
    assert caught.value.reason is Reason.MODEL_ERROR
    assert caught.value.detail == "stream ended early"
    assert caught.value.retry_after is None
