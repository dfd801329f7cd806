"""The model stand-in answers as OpenAI's Chat Completions do, and keeps a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from gateway.demo.answers import tokens
from gateway.demo.model import Message, ModelStandin, Reply
from tests.waiting import until

USER = [{"role": "user", "content": "What is #7?"}]


class Client:
    def __init__(self, model: ModelStandin, session: aiohttp.ClientSession) -> None:
        self.url = f"{model.base_url}/chat/completions"
        self.session = session

    async def events(self, **body: Any) -> list[Any]:
        """The data of every event of a stream, the last as text."""
        request = {"model": "m", "messages": USER, "stream": True} | body
        async with self.session.post(self.url, json=request) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            lines = (await answer.text()).split("\n\n")
        assert lines[-1] == ""
        *chunks, done = [line.removeprefix("data: ") for line in lines[:-1]]
        return [*(orjson.loads(chunk) for chunk in chunks), done]


@pytest.fixture
async def model() -> AsyncIterator[ModelStandin]:
    async with ModelStandin(api_key="sk", tokens_per_second=5000, first_token_after=0.001) as running:
        yield running


@pytest.fixture
async def client(model: ModelStandin) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk"}) as session:
        yield Client(model, session)


def content(chunks: list[Any]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])


async def test_a_stream_begins_with_the_role_and_ends_with_done(model: ModelStandin, client: Client) -> None:
    *chunks, done = await client.events(stream_options={"include_usage": True})
    assert done == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert content(chunks) == model.expected_answer("What is #7?")
    assert "What is #7?" in content(chunks)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == len(chunks) - 3
    (call,) = model.calls_made
    assert call.started_at <= call.first_token_at <= call.last_token_at <= call.ended_at
    assert (call.marker, call.aborted) == ("#7", False)


async def test_usage_is_told_only_when_asked_for(client: Client) -> None:
    *chunks, _ = await client.events()
    assert all(chunk["choices"] for chunk in chunks)


async def test_without_stream_the_answer_comes_whole(model: ModelStandin, client: Client) -> None:
    async with client.session.post(client.url, json={"model": "m", "messages": USER}) as answer:
        whole = await answer.json()
    assert whole["choices"][0]["message"]["content"] == model.expected_answer("What is #7?")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "video", "text": "hi"}]}]},
        {"messages": USER, "unheard_of": 1},
        {"messages": USER, "stream_options": {"include_usage": True}},
    ],
)
async def test_malformed_requests_are_refused(
    model: ModelStandin, client: Client, body: dict[str, Any]
) -> None:
    async with client.session.post(client.url, json={"model": "m", **body}) as answer:
        assert answer.status == 400
    assert len(model.complaints) == 1


async def test_a_wrong_key_is_refused(model: ModelStandin) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{model.base_url}/models") as answer:
        assert answer.status == 401


async def test_a_cut_stream_ends_without_a_finish(model: ModelStandin, client: Client) -> None:
    model.script = lambda _: Reply("one two three four", fault="cut")
    chunks = [orjson.loads(e) if isinstance(e, str) else e for e in await client.events()]
    assert content(chunks) == "one two "
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)


async def test_faults_of_status_and_connection(model: ModelStandin, client: Client) -> None:
    model.script = lambda _: Reply("one two", fault="status:429", retry_after=7)
    async with client.session.post(client.url, json={"model": "m", "messages": USER}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    model.script = lambda _: Reply("one two", fault="reset")
    with pytest.raises(aiohttp.ClientError):
        await client.events()


@pytest.mark.parametrize("fault", ["hang_before_first", "hang_mid"])
async def test_a_hung_model_notices_that_its_client_left(
    model: ModelStandin, client: Client, fault: Any
) -> None:
    model.script = lambda _: Reply("one two", fault=fault)
    listening = asyncio.create_task(client.events())
    await until(lambda: bool(model.calls_made), 30, lambda: "no request came")
    listening.cancel()
    await model.idle()
    assert model.calls_made[0].aborted


async def test_a_client_that_leaves_early_is_recorded(model: ModelStandin, client: Client) -> None:
    model.script = lambda _: Reply("word " * 1000, tokens_per_second=100)
    async with client.session.post(
        client.url, json={"model": "m", "messages": USER, "stream": True}
    ) as answer:
        await answer.content.readany()
    await model.idle()
    assert model.calls_made[0].aborted


async def test_how_many_replies_ran_at_once_is_recorded(model: ModelStandin, client: Client) -> None:
    questions = ["#1", "#2", "#2"]
    model.script = lambda _: Reply("one two three", first_token_after=0.05)
    await asyncio.gather(*(client.events(messages=[{"role": "user", "content": q}]) for q in questions))
    assert model.max_concurrency == {"#1": 1, "#2": 2}
    assert model.peak == 3


async def test_answers_differ_by_question_and_their_tokens_join_to_them() -> None:
    model = ModelStandin(api_key="sk", words=80)
    one, other = model.expected_answer("one"), model.expected_answer("other")
    assert one != other
    assert "".join(tokens(one)) == one
    assert 80 <= len(tokens(one)) <= 160
    assert model.expected_answer("one") == one
    assert Message(role="user", content="x").content == "x"


async def test_pictures_come_inline_and_nothing_else_does(model: ModelStandin, client: Client) -> None:
    def asking(url: str) -> list[dict[str, Any]]:
        parts = [{"type": "text", "text": "What is #7?"}, {"type": "image_url", "image_url": {"url": url}}]
        return [{"role": "user", "content": parts}]

    await client.events(messages=asking("data:image/png;base64,iVBORw=="))
    assert model.calls_made[-1].messages[-1].images == ("data:image/png;base64,iVBORw==",)
    for url in ("https://example.com/cat.png", "data:image/heic;base64,AAAA", "data:image/png;base64,!"):
        body = {"model": "m", "messages": asking(url), "stream": True}
        async with client.session.post(client.url, json=body) as answer:
            assert answer.status == 400
