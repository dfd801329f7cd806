"""The model client against servers on the loopback interface that do what real ones do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import orjson
import pytest
from aiohttp import web

from conversation.providers.faults import LONGEST_RETRY_AFTER
from conversation.providers.openai import OpenAIProvider
from conversation.providers.port import Answered, Entry, Image, Prompt, Provider, ProviderError
from conversation.providers.sse import LIMIT
from conversation.steps import Step
from conversation.turn import Reason

PROMPT = Prompt(
    "Be brief.",
    (Entry("user", "first"), Entry("assistant", "answer"), Entry("user", "a private question")),
)
KEY = "sk-a-private-key"
DONE = b"data: [DONE]\n\n"

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


def event(**chunk: object) -> bytes:
    return b"data: " + orjson.dumps({"id": "c", "object": "chat.completion.chunk", **chunk}) + b"\n\n"


def text(content: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": content}, "finish_reason": None}])


def finish(reason: str = "stop") -> bytes:
    return event(choices=[{"index": 0, "delta": {}, "finish_reason": reason}])


ROLE = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
USAGE = event(choices=[], usage={"total_tokens": 3})


class ModelServer:
    """Answers each request with what ``respond`` says; remembers requests and connections."""

    def __init__(self) -> None:
        self.respond: Respond = says(text("hello"), finish(), DONE)
        self.bodies: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[object] = set()
        self.gone = asyncio.Event()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        if request.can_read_body:
            self.bodies.append(orjson.loads(await request.read()))
        try:
            return await self.respond(request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.gone.set()
            raise


def says(*writes: bytes, broken: bool = False) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for data in writes:
            await response.write(data)
            await asyncio.sleep(0)
        if broken:
            await asyncio.sleep(0.01)  # else the abort would overtake what was written
            assert request.transport is not None
            request.transport.abort()
        return response

    return respond


def refuses(status: int, body: object = None, **headers: str) -> Respond:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def respond(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=orjson.dumps(body), headers=named)

    return respond


def holds_after(*writes: bytes) -> Respond:
    async def respond(request: web.Request) -> web.StreamResponse:
        await says(*writes)(request)
        await asyncio.Event().wait()
        raise AssertionError

    return respond


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    app = web.Application()
    app.router.add_route("*", "/v1/{what:chat/completions|models}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def provider(server: ModelServer, http: aiohttp.ClientSession) -> Provider:
    return OpenAIProvider(model="m-1", base_url=server.url, api_key=KEY, http=http)


async def ask(provider: Provider) -> list[str]:
    return [piece async for piece in provider.stream(PROMPT)]


async def ask_in_vain(provider: Provider) -> tuple[str, ProviderError]:
    """What was seen before the error, and the error, which must tell nothing private."""
    pieces: list[str] = []

    async def read() -> None:
        async for piece in provider.stream(PROMPT):
            pieces.append(piece)  # noqa: PERF401 - the pieces before the error count

    with pytest.raises(ProviderError) as caught:
        await read()
    assert KEY not in str(caught.value)
    assert "private" not in str(caught.value)
    assert caught.value.__cause__ is None
    return "".join(pieces), caught.value


# Steps that the server takes by itself


def progress(call: str, status: str, **more: object) -> bytes:
    told = {"tool": "web_search", "toolCallId": call, "status": status, **more}
    return b"event: hermes.tool.progress\ndata: " + orjson.dumps(told) + b"\n\n"


def executed(**tool: object) -> bytes:
    return event(choices=[{"index": 0, "delta": {"executed_tools": [tool]}, "finish_reason": None}])


async def steps_and_text(provider: Provider) -> tuple[list[Step], str]:
    steps: list[Step] = []
    prompt = replace(PROMPT, step=steps.append)
    return steps, "".join([piece async for piece in provider.stream(prompt)])


async def test_tools_that_an_agent_runs_itself_are_told_as_steps_and_are_no_text(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(
        ROLE,
        progress("call_1", "running", label="Looking for soup", emoji="🔎"),
        progress("call_1", "completed"),
        progress("call_2", "running"),
        progress("call_2", "error"),
        text("a tool"),
        finish(),
        DONE,
    )
    assert await steps_and_text(provider) == (
        [
            Step("call_1", "Looking for soup", "running"),
            Step("call_1", "Web search", "done"),
            Step("call_2", "Web search", "running"),
            Step("call_2", "Web search", "failed"),
        ],
        "a tool",
    )


async def test_tools_that_a_compound_model_ran_are_told_as_steps(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(
        executed(index=0, type="search", arguments='{"limit": 3, "query": "soup"}'),
        executed(index=0, type="search", arguments='{"query": "soup"}', output="42"),
        executed(index=1, type="python", arguments="not JSON", output=None, search_results={"images": []}),
        text("soup"),
        finish(),
        DONE,
    )
    assert await steps_and_text(provider) == (
        [
            Step("0 search", "Search", "running", "soup"),
            Step("0 search", "Search", "done", "soup"),
            Step("1 python", "Python", "running"),
        ],
        "soup",
    )


async def test_what_cannot_be_read_of_a_step_is_no_fault_of_the_answer(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(
        progress("call_1", "running", label=["a list"]),
        event(tool_calls=1),
        executed(index="one", type=7),
        text("fine"),
        finish(),
        DONE,
    )
    assert await steps_and_text(provider) == ([], "fine")
    assert await ask(provider) == ["fine"], "nor where nobody wants to know"


async def test_a_server_that_ran_a_tool_is_not_to_be_asked_again(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(progress("call_1", "running"), broken=True)
    with pytest.raises(ProviderError) as caught:
        await steps_and_text(provider)
    assert caught.value.retry_after is None


# Complete answers


async def test_the_request_is_a_streamed_chat_completion(server: ModelServer, provider: Provider) -> None:
    await ask(provider)

    assert server.bodies == [
        {
            "model": "m-1",
            "stream": True,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "answer"},
                {"role": "user", "content": "a private question"},
            ],
        }
    ]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_pictures_go_inline_beside_their_text(server: ModelServer, provider: Provider) -> None:
    picture = Image("cat.png", "image/png", b"\x89PNG")
    entries = (
        Entry("user", "first"),
        Entry("assistant", "answer"),
        Entry("user", "who?", (picture, picture)),
    )
    async for _ in provider.stream(Prompt("", entries)):
        pass
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    assert server.bodies[0]["messages"] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": "who?"}, part, part]},
    ]


async def test_a_server_without_key_and_prompt_without_system(
    server: ModelServer, http: aiohttp.ClientSession
) -> None:
    provider = OpenAIProvider(
        model="m", base_url=server.url + "/", api_key="", http=http, max_output_tokens=50
    )

    assert [piece async for piece in provider.stream(Prompt("", (Entry("user", "hi"),)))] == ["hello"]
    assert "Authorization" not in server.headers[0]
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "hi"}]
    assert server.bodies[0]["max_tokens"] == 50


@pytest.mark.parametrize(
    "writes",
    [
        [ROLE, text("hel"), text("lo"), finish(), USAGE, DONE],
        [text("hel"), text("lo"), finish()],
        [text("hel"), text("lo"), DONE],
        [text("hel"), text("lo"), finish("length"), DONE],
        [text("hel"), text("lo"), finish("content_filter"), DONE],
        [event(choices=[{"delta": None}]), event(choices=None), text("hello"), finish(), DONE],
        [b": OPENROUTER PROCESSING\n\n", text("hello").replace(b"\n", b"\r\n"), finish(), DONE],
        [event(error=None, choices=[{"delta": {"content": "hello"}, "finish_reason": "stop"}])],
    ],
    ids=["all", "no done", "no reason", "length", "filtered after text", "nulls", "comments", "in one"],
)
async def test_an_answer_that_the_server_ended_is_complete(
    server: ModelServer, provider: Provider, writes: list[bytes]
) -> None:
    server.respond = says(*writes)

    pieces = await ask(provider)

    assert "".join(pieces) == "hello"
    assert all(pieces)


async def test_a_connection_lost_after_the_finish_reason_costs_nothing(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(text("hello"), finish(), broken=True)

    assert "".join(await ask(provider)) == "hello"


async def test_an_answer_arriving_byte_by_byte_is_the_same(server: ModelServer, provider: Provider) -> None:
    answer = "Grüße, 你好 🙂!"
    stream = b"".join(
        [b"\xef\xbb\xbf", *(text(letter).replace(b"\n", b"\r\n") for letter in answer), finish(), DONE]
    )
    server.respond = says(*(stream[at : at + 1] for at in range(len(stream))))

    assert "".join(await ask(provider)) == answer


async def test_a_burst_is_one_piece(server: ModelServer, provider: Provider) -> None:
    server.respond = says(b"".join([text("word ")] * 100 + [finish(), DONE]))

    assert await ask(provider) == ["word " * 100]


async def test_connections_are_used_again_though_the_end_follows_the_done_mark_later(
    server: ModelServer, provider: Provider
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        response = await says(text("hello"), finish(), DONE)(request)
        await asyncio.sleep(0.01)
        return response

    server.respond = respond
    for _ in range(3):
        await ask(provider)

    assert len(server.connections) == 1


async def test_a_server_that_stays_after_done_is_not_waited_for(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = holds_after(text("hello"), DONE)

    async with asyncio.timeout(5):
        assert await ask(provider) == ["hello"]
        await server.gone.wait()


# Broken answers


@pytest.mark.parametrize("broken", [False, True], ids=["closed", "reset"])
async def test_a_truncated_answer_is_an_error_and_not_asked_again(
    server: ModelServer, provider: Provider, broken: bool
) -> None:
    server.respond = says(ROLE, text("hel"), broken=broken)

    seen, error = await ask_in_vain(provider)

    assert (seen, error.reason, error.retry_after) == ("hel", Reason.MODEL_ERROR, None)


@pytest.mark.parametrize("broken", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("writes", [[], [ROLE]], ids=["nothing", "role"])
async def test_an_answer_that_ended_before_its_first_word_may_be_asked_for_again(
    server: ModelServer, provider: Provider, writes: list[bytes], broken: bool
) -> None:
    server.respond = says(*writes, broken=broken)

    seen, error = await ask_in_vain(provider)

    assert (seen, error.reason, error.retry_after) == ("", Reason.MODEL_ERROR, 0)


@pytest.mark.parametrize("cut", range(0, len(text("hello")), 7))
async def test_an_event_cut_anywhere_is_an_error(server: ModelServer, provider: Provider, cut: int) -> None:
    server.respond = says(text("whole "), text("hello")[:cut])

    seen, error = await ask_in_vain(provider)

    assert (seen, error.detail) == ("whole ", "stream ended early")


@pytest.mark.parametrize(
    ("fault", "reason", "detail"),
    [
        (
            {"message": "private", "type": "server_error"},
            Reason.MODEL_ERROR,
            "error in the stream (server_error)",
        ),
        ({"message": "private", "code": 429}, Reason.MODEL_RATE_LIMITED, "error in the stream (429)"),
        ({"code": "the private question"}, Reason.MODEL_ERROR, "error in the stream"),
        ("private", Reason.MODEL_ERROR, "error in the stream"),
    ],
)
async def test_an_error_in_the_stream_shows_its_code_and_no_message(
    server: ModelServer, provider: Provider, fault: object, reason: Reason, detail: str
) -> None:
    server.respond = says(event(error=fault))
    seen, error = await ask_in_vain(provider)
    assert (seen, error.reason, error.detail, error.retry_after) == ("", reason, detail, 0)

    server.respond = says(text("begun") + event(error=fault) + text("never") + finish() + DONE)
    seen, error = await ask_in_vain(provider)
    assert (seen, error.reason, error.detail, error.retry_after) == ("begun", reason, detail, None)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"data: {not json private\n\n", "unreadable chunk in the stream"),
        (b'data: {"choices": "private"}\n\n', "unreadable chunk in the stream"),
        (b"data: \xff\xfe\n\n", "unreadable chunk in the stream"),
        (b"data: " + b"x" * (LIMIT + 1), f"a line of more than {LIMIT} bytes"),
        (finish("error"), "the server broke the answer off"),
    ],
)
async def test_what_cannot_be_understood_is_an_error(
    server: ModelServer, provider: Provider, data: bytes, detail: str
) -> None:
    server.respond = says(text("begun"), data, DONE)

    seen, error = await ask_in_vain(provider)

    assert (seen, error.reason, error.detail) == ("begun", Reason.MODEL_ERROR, detail)


async def test_a_filtered_answer_without_text_is_an_error_and_not_asked_again(
    server: ModelServer, provider: Provider
) -> None:
    server.respond = says(ROLE, finish("content_filter"), DONE)

    _, error = await ask_in_vain(provider)

    assert (error.reason, error.retry_after) == (Reason.MODEL_ERROR, None)


# Refusals


def later(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0),
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0.5"}, 0.5),
        ({"Retry_After": "7", "Retry_After_Ms": "1500"}, 1.5),
        ({"Retry_After": "-3"}, 0),
        ({"Retry_After": "nan"}, 0),
        ({"Retry_After": "soon"}, 0),
        ({"Retry_After": "999999999"}, LONGEST_RETRY_AFTER),
        ({"Retry_After": "Thu, 01 Jan 2099 00:00:00 -0000"}, LONGEST_RETRY_AFTER),
    ],
)
async def test_a_rate_limit_says_when_to_ask_again(
    server: ModelServer, provider: Provider, headers: dict[str, str], expected: float
) -> None:
    server.respond = refuses(429, {"error": {"code": "rate_limit_exceeded"}}, **headers)

    _, error = await ask_in_vain(provider)

    assert error.reason is Reason.MODEL_RATE_LIMITED
    assert error.retry_after == pytest.approx(expected, abs=2)
    assert error.detail == "HTTP 429 (rate_limit_exceeded)"


@pytest.mark.parametrize(("seconds", "expected"), [(30.0, 30.0), (-30.0, 0.0)])
async def test_a_rate_limit_may_name_a_date(
    server: ModelServer, provider: Provider, seconds: float, expected: float
) -> None:
    server.respond = refuses(429, {"error": {"code": "rate_limit_exceeded"}}, Retry_After=later(seconds))

    _, error = await ask_in_vain(provider)

    assert error.retry_after == pytest.approx(expected, abs=2)


async def test_an_exhausted_quota_is_not_asked_again(server: ModelServer, provider: Provider) -> None:
    server.respond = refuses(429, {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}})

    _, error = await ask_in_vain(provider)

    assert (error.reason, error.retry_after) == (Reason.MODEL_RATE_LIMITED, None)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
async def test_a_passing_fault_may_be_asked_again(
    server: ModelServer, provider: Provider, status: int
) -> None:
    server.respond = refuses(status, "not the error object", Retry_After="3")

    _, error = await ask_in_vain(provider)

    assert (error.reason, error.retry_after, error.detail) == (Reason.MODEL_ERROR, 3, f"HTTP {status}")


@pytest.mark.parametrize("status", [204, 307, 400, 401, 403, 404, 422])
async def test_a_lasting_fault_names_the_servers_code_and_no_message(
    server: ModelServer, provider: Provider, status: int
) -> None:
    fault = {
        "message": f"private {KEY}",
        "type": "invalid_request_error",
        "code": "bad_thing",
        "param": "model",
    }
    server.respond = refuses(status, {"error": fault}, Retry_After="3", Location="https://elsewhere.example")

    _, error = await ask_in_vain(provider)

    assert (error.reason, error.retry_after) == (Reason.MODEL_ERROR, None)
    assert error.detail in (f"HTTP {status} (bad_thing, invalid_request_error)", f"HTTP {status}")


async def test_a_refused_connection_may_be_tried_again(http: aiohttp.ClientSession) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        _, error = await ask_in_vain(OpenAIProvider(model="m", base_url=url, api_key=KEY, http=http))

    assert (error.reason, error.retry_after) == (Reason.MODEL_ERROR, 0)
    assert "ClientConnectorError" in error.detail


async def test_a_connection_reset_before_the_answer_may_be_tried_again(
    server: ModelServer, provider: Provider
) -> None:
    async def reset(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    server.respond = reset

    _, error = await ask_in_vain(provider)

    assert (error.reason, error.retry_after) == (Reason.MODEL_ERROR, 0)


async def test_a_server_that_is_not_who_it_says_is_not_tried_again(http: aiohttp.ClientSession) -> None:
    """A TLS connection that fails will fail again: here, against a server that speaks none."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as plain:
        url = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/v1"
        _, error = await ask_in_vain(OpenAIProvider(model="m", base_url=url, api_key=KEY, http=http))

    assert error.retry_after is None
    assert ssl.SSLError.__name__[:3] in error.detail


# Giving up


async def test_closing_the_stream_closes_the_connection(server: ModelServer, provider: Provider) -> None:
    server.respond = holds_after(text("hello"))
    stream = provider.stream(PROMPT)
    assert await anext(stream) == "hello"

    async with asyncio.timeout(5):
        await stream.aclose()
        await server.gone.wait()


async def test_cancelling_the_reader_closes_the_connection(server: ModelServer, provider: Provider) -> None:
    server.respond = holds_after(text("hello"))
    began = asyncio.Event()

    async def read() -> None:
        async with contextlib.aclosing(provider.stream(PROMPT)) as stream:
            async for _ in stream:
                began.set()

    async with asyncio.timeout(5):
        task = asyncio.create_task(read())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.gone.wait()


# The doctor's questions


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (refuses(200, {"data": [{"id": "m-0"}, {"id": "m-1"}]}), "reachable; lists m-1"),
        (refuses(200, {"data": [{"id": "m-0"}]}), "reachable; does not list m-1 among its 1 models"),
        (refuses(200, ["odd"]), "reachable; its list of models is unreadable"),
        (refuses(404), "reachable; this server lists no models"),
    ],
)
async def test_check_asks_for_the_list_of_models(
    server: ModelServer, provider: Provider, respond: Respond, said: str
) -> None:
    server.respond = respond

    assert await provider.check(live=False) == said
    assert server.bodies == []


async def test_check_fails_on_a_wrong_key(server: ModelServer, provider: Provider) -> None:
    server.respond = refuses(401, {"error": {"code": "invalid_api_key"}})

    for live in (False, True):
        with pytest.raises(ProviderError, match=r"HTTP 401 \(invalid_api_key\)"):
            await provider.check(live=live)


async def test_a_live_check_asks_the_model_for_few_tokens(server: ModelServer, provider: Provider) -> None:
    server.respond = says(text("ok"), finish(), DONE)

    assert await provider.check(live=True) == "m-1 answered: ok"
    (body,) = server.bodies
    assert (body["temperature"], body["max_tokens"]) == (0, 32)


async def test_a_live_check_of_a_reasoning_model_leaves_the_temperature_away(
    server: ModelServer, provider: Provider
) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        if "temperature" in server.bodies[-1]:
            fault = {"code": "unsupported_value", "param": "temperature"}
            return await refuses(400, {"error": fault})(request)
        return await says(finish("length"), DONE)(request)

    server.respond = respond

    assert await provider.check(live=True) == "m-1 answered, without a text in 32 tokens"
    assert server.bodies[-1]["max_tokens"] == 32


async def test_close_leaves_the_session_to_its_owner(provider: Provider, http: aiohttp.ClientSession) -> None:
    await provider.close()

    assert not http.closed


async def told(provider: Provider) -> tuple[list[str], list[Answered]]:
    heard: list[Answered] = []
    pieces = [piece async for piece in provider.stream(replace(PROMPT, told=heard.append))]
    return pieces, heard


async def test_who_asks_is_told_what_the_server_says_of_its_answer(
    server: ModelServer, provider: Provider
) -> None:
    counted = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    server.respond = says(
        event(model="m-1-2026", choices=[{"delta": {"content": "hello"}}]),
        finish("length"),
        event(model="m-1-2026", choices=[], usage=counted),
        DONE,
    )
    assert await told(provider) == (["hello"], [Answered("c", "m-1-2026", "length", 12, 5, 8, 2)])


@pytest.mark.parametrize("usage", ["much", {"prompt_tokens": "many"}, None, {"prompt_tokens": None}])
async def test_an_account_that_cannot_be_read_is_no_fault_of_the_answer(
    server: ModelServer, provider: Provider, usage: object
) -> None:
    server.respond = says(text("hello"), event(choices=[], usage=usage), finish(), DONE)
    assert await told(provider) == (["hello"], [Answered("c", "", "stop")])


async def test_of_an_answer_that_breaks_off_is_told_once_too(server: ModelServer, provider: Provider) -> None:
    server.respond = says(text("hel"))
    heard: list[Answered] = []
    with pytest.raises(ProviderError):
        _ = [piece async for piece in provider.stream(replace(PROMPT, told=heard.append))]
    assert heard == [Answered("c")]
