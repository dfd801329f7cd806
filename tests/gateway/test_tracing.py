"""Traces of what both platforms' people said, and that they hold nothing of it."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from conversation.directory import Directory
from conversation.providers.echo import EchoProvider
from conversation.providers.port import Answered, Entry, Prompt
from conversation.stop import Stop
from conversation.turn import Claim, Turn
from gateway import telemetry
from gateway.demo.model import Message, ModelStandin, Reply
from gateway.tracing import destination as traces
from gateway.tracing import names
from gateway.tracing.destination import Destination
from gateway.tracing.exporting import FLUSHED_WITHIN, exported, traced
from gateway.tracing.ids import admitted_in, links
from gateway.tracing.models import TracedProvider
from gateway.tracing.port import Model, Untraced
from gateway.tracing.spans import Spans
from gateway.webhooks import Webhooks
from tests.conversation.fake_platform import FakePlatform
from tests.conversation.made_up import message
from tests.gateway.admin import both_platforms
from tests.gateway.admin.both_platforms import add_lark, add_slack
from tests.gateway.test_webhooks import slack, slack_message
from tests.waiting import until

MODEL_KEY = "sk-a-private-model-key"
SECRET_WORD = "xyzzy"


@dataclass
class Traced:
    spans: Spans
    exporter: InMemorySpanExporter

    @property
    def finished(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.finished if span.name == name]

    def turns(self) -> list[list[ReadableSpan]]:
        """The spans of each trace that has a turn, in the order of their beginning."""
        by_trace: dict[int, list[ReadableSpan]] = {}
        for span in sorted(self.finished, key=lambda span: span.start_time or 0):
            by_trace.setdefault(trace_of(span), []).append(span)
        return [spans for spans in by_trace.values() if any(span.name == "turn" for span in spans)]


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def told(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(name)


@asynccontextmanager
async def tracer() -> AsyncIterator[Traced]:
    exporter = InMemorySpanExporter()
    async with traced(SimpleSpanProcessor(exporter)) as spans:
        yield Traced(spans, exporter)


@dataclass
class House:
    town: both_platforms.Town
    traced: Traced

    async def slack(self, text: str, **how: str) -> None:
        url = f"{self.town.webhooks}/slack/helpdesk"
        await self.town.slack.say(url, channel=how.get("channel", "C1"), user="U1", text=text)

    async def lark(self, text: str) -> None:
        await self.town.lark.say(f"{self.town.webhooks}/lark/assistant", chat="oc_1", user="ou_1", text=text)

    async def traces(self, count: int) -> list[list[ReadableSpan]]:
        await until(
            lambda: len(self.traced.named("turn")) >= count,
            20,
            lambda: [span.name for span in self.traced.finished],
        )
        return self.traced.turns()


def answers(messages: list[Message]) -> Reply:
    return Reply(f"{SECRET_WORD} back to you: " + " ".join(f"word{number}" for number in range(40)))


@asynccontextmanager
async def house(folder: Path, script: Callable[[list[Message]], Reply] = answers) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(
            ModelStandin(api_key=MODEL_KEY, script=script, first_token_after=0.05, tokens_per_second=100)
        )
        watched = await stack.enter_async_context(tracer())
        agent = {
            "provider": "openai",
            "model": "demo-model",
            "base_url": model.base_url,
            "api_key": MODEL_KEY,
        }
        town = await stack.enter_async_context(
            both_platforms.town(folder, agent=agent, tracing=watched.spans)
        )
        town.slack.add_channel("C1")
        town.slack.add_channel("D1", "im")
        await add_slack(town)
        await add_lark(town)
        yield House(town, watched)


async def test_a_message_is_one_trace_from_the_webhook_to_the_last_delivery(tmp_path: Path) -> None:
    async with house(tmp_path) as whole:
        await whole.slack(f"{SECRET_WORD} from slack")
        await whole.lark(f"{SECRET_WORD} from lark")
        found = await whole.traces(2)
    assert sorted(spans[0].name for spans in found) == ["webhook lark", "webhook slack"]
    for spans in found:
        webhook, admit, turn = spans[:3]
        assert [webhook.kind, admit.kind, turn.kind] == [
            SpanKind.SERVER,
            SpanKind.PRODUCER,
            SpanKind.CONSUMER,
        ]
        assert [one.name for one in spans[1:3]] == ["admit", "turn"]
        assert [parent(webhook), parent(admit), parent(turn)] == [None, id_of(webhook), id_of(admit)]
        below = spans[3:]
        assert {parent(one) for one in below} == {id_of(turn)}
        assert {one.name for one in below} == {"chat demo-model", "deliver open", "deliver close"}
        assert {one.kind for one in below} == {SpanKind.CLIENT}
        assert told(webhook, names.ADMISSION) == "accepted"
        assert told(webhook, names.STATUS) == 200
        assert [told(turn, name) for name in (names.OUTCOME, names.ATTEMPT)] == ["answered", 1]
        assert told(admit, names.CONVERSATION) == told(turn, names.CONVERSATION)
        assert told(admit, names.TURN) == told(turn, names.TURN)
        assert not turn.links
        assert all(one.status.is_ok or one.status.is_unset for one in spans)


async def test_a_question_to_a_model_has_the_names_of_the_conventions(tmp_path: Path) -> None:
    async with house(tmp_path) as whole:
        await whole.slack("hello")
        await whole.traces(1)
        (chat,) = whole.traced.named("chat demo-model")
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "demo-model",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "demo-model",
        "gen_ai.response.finish_reasons": ("stop",),
        "server.address": "127.0.0.1",
    }
    assert {name: told(chat, name) for name in expected} == expected
    assert str(told(chat, "gen_ai.response.id")).startswith("chatcmpl-")
    first = told(chat, "gen_ai.response.time_to_first_chunk")
    assert isinstance(first, float)
    assert 0.04 < first < 5


async def test_nothing_that_was_said_and_nobody_is_in_any_span(tmp_path: Path) -> None:
    def fails(messages: list[Message]) -> Reply:
        if "break" in messages[-1].content:
            return Reply("", fault="status:500")
        return answers(messages)

    async with house(tmp_path, fails) as whole:
        await whole.slack(f"{SECRET_WORD} from slack")
        await whole.slack(f"{SECRET_WORD} please break", channel="D1")
        await whole.lark(f"{SECRET_WORD} from lark")
        await whole.traces(3)
        everything = "".join(str(span.to_json()) for span in whole.traced.finished)
    private = [SECRET_WORD, "word7", MODEL_KEY, both_platforms.SECRET, both_platforms.TOKEN]
    private += [both_platforms.APP_SECRET, both_platforms.KEY, "ou_1", '"U1"', "oc_1", '"C1"', "Traceback"]
    assert [word for word in private if word in everything] == []


async def test_what_waited_in_the_queue_goes_on_in_its_own_trace(tmp_path: Path) -> None:
    async with house(tmp_path) as whole:
        for number in range(3):
            await whole.lark(f"message {number}")
        found = await whole.traces(3)
    assert len(found) == 3
    for spans in found:
        by_name = {span.name: span for span in spans}
        assert parent(by_name["turn"]) == id_of(by_name["admit"])
        assert len([span for span in spans if span.name == "turn"]) == 1
    waits = sorted(float(str(told(span, names.WAITED))) for span in whole.traced.named("turn"))
    assert waits[0] < waits[1] < waits[2]


async def test_a_model_that_fails_marks_its_question_and_the_turn(tmp_path: Path) -> None:
    async with house(tmp_path, lambda _: Reply("", fault="status:500")) as whole:
        await whole.slack("hello")
        ((*_,),) = await whole.traces(1)
        (turn,) = whole.traced.named("turn")
        chats = whole.traced.named("chat demo-model")
    assert [told(turn, name) for name in (names.OUTCOME, names.REASON)] == ["failed", "model_error"]
    assert len(chats) == 3  # it was asked again
    assert {told(chat, "error.type") for chat in chats} == {"model_error"}
    assert not turn.status.is_ok
    assert not any(chat.status.is_ok for chat in chats)


async def test_a_repeated_webhook_has_a_trace_without_a_turn_and_no_header_decides_about_it(
    tmp_path: Path,
) -> None:
    async with tracer() as watched, both_platforms.town(tmp_path, tracing=watched.spans) as town:
        await add_slack(town)
        foreign = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        said = slack(slack_message("hello"), secret=both_platforms.SECRET)
        async with aiohttp.ClientSession() as http:
            for _ in range(2):
                url, headers = f"{town.webhooks}/slack/helpdesk", {**said.headers, "traceparent": foreign}
                async with http.post(url, data=said.body, headers=headers) as answer:
                    assert answer.status == 200
        first, second = watched.named("webhook slack")
        assert [told(first, names.ADMISSION), told(second, names.ADMISSION)] == ["accepted", "duplicate"]
        assert {first.parent, second.parent} == {None}
        assert trace_of(first) != trace_of(second)
        assert f"{trace_of(first):032x}" not in foreign


async def test_lines_of_the_log_tell_the_span_in_which_they_are_written() -> None:
    written = io.StringIO()
    telemetry.configure(written)
    try:
        async with tracer() as watched:
            with watched.spans._tracer.start_as_current_span("turn") as span:
                structlog.get_logger().info("turn completed")
                logging.getLogger("some.library").warning("a line of the standard library")
            structlog.get_logger().info("outside")
        structlog.get_logger().info("untraced")
        await until(lambda: written.getvalue().count("\n") == 4, 5)
    finally:
        structlog.reset_defaults()
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    context = span.get_span_context()
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [{name: line[name] for name in ids if name in line} for line in lines] == [ids, ids, {}, {}]


def turn(*traceparents: str, attempt: int) -> Turn:
    said = [replace(message(f"m{number}"), traceparent=one) for number, one in enumerate(traceparents)]
    return Turn("a-turn", tuple(said), 0.0, attempt=attempt)


FIRST = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECOND = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"


async def test_an_attempt_links_to_the_one_before_which_another_process_made() -> None:
    async def run(claim: Claim, _: object) -> None: ...

    async def attempt(number: int, *traceparents: str) -> ReadableSpan:
        """In a process of its own: nothing of the others is known."""
        async with tracer() as watched:
            claimed = Claim(message("m").key, turn(*traceparents, attempt=number), number, "s")
            await watched.spans.turns(run)(claimed, None)  # type: ignore[arg-type]
            return watched.finished[0]

    for given in ((FIRST,), ("",)):
        spans = [await attempt(number, *given) for number in (1, 2, 3)]
        assert len({trace_of(span) for span in spans}) == 1
        assert len({id_of(span) for span in spans}) == 3
        assert not spans[0].links
        for before, after in itertools.pairwise(spans):
            assert [link.context.span_id for link in after.links] == [id_of(before)]
            assert [link.context.trace_id for link in after.links] == [trace_of(before)]
    assert trace_of(await attempt(1, FIRST)) == int(FIRST[3:35], 16)


def test_messages_that_were_merged_are_linked_to() -> None:
    assert [f"{link.context.span_id:x}" for link in links(turn(FIRST, SECOND, "", attempt=1))] == [
        SECOND[36:52]
    ]


def test_a_traceparent_that_cannot_be_read_counts_as_none() -> None:
    assert not admitted_in(turn("00-nothing", attempt=1))


class Telling:
    """A model that tells what it is asked to tell."""

    def __init__(self, answered: Answered, *, hangs: bool = False) -> None:
        self._answered = answered
        self._hangs = hangs

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str, None]:
        yield "hello"
        if self._hangs:
            await asyncio.Event().wait()
        assert prompt.told is not None
        prompt.told(self._answered)

    async def check(self, *, live: bool) -> str:
        return "well"

    async def close(self) -> None: ...


async def test_what_the_service_counted_is_told_and_passed_on() -> None:
    counted = Answered("r1", "m-2026", "length", 12, 5, 8, 2)
    heard: list[Answered] = []
    async with tracer() as watched:
        model = Model("openai", "m", "https://api.example.com/v1")
        provider = TracedProvider(Telling(counted), model, watched.spans._tracer)
        prompt = Prompt("", (Entry("user", "?"),), told=heard.append)
        assert [piece async for piece in provider.stream(prompt)] == ["hello"]
        (span,) = watched.finished
    assert heard == [counted]
    assert {
        name: told(span, name)
        for name in (names.INPUT_TOKENS, names.OUTPUT_TOKENS, names.CACHED_TOKENS, names.REASONING_TOKENS)
    } == {
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }
    assert [told(span, "server.address"), told(span, "server.port")] == ["api.example.com", 443]


async def test_a_stream_that_is_cut_off_ends_its_span() -> None:
    async with tracer() as watched:
        provider = TracedProvider(Telling(Answered(), hangs=True), Model("echo", "m"), watched.spans._tracer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                _ = [piece async for piece in provider.stream(Prompt("", (Entry("user", "?"),)))]
        (span,) = watched.finished
    assert told(span, "error.type") == "cancelled"


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
async def test_the_environment_switches_traces_on(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], on: bool
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with traces.tracing(Destination(), environ) as found:
        assert isinstance(found, Spans if on else Untraced)


async def test_without_the_library_the_gateway_runs_untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway.tracing.exporting", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with structlog.testing.capture_logs() as lines:
        async with traces.tracing(Destination("http://127.0.0.1:9"), {}) as found:
            assert isinstance(found, Untraced)
    assert [line["event"] for line in lines] == ["traces off"]
    assert "turnkeeper[otel]" in lines[0]["cause"]


def test_who_traces_nothing_imports_nothing_for_it(tmp_path: Path) -> None:
    config = tmp_path / "turnkeeper.yaml"
    config.write_text("store: {url: 'memory:'}\nagents: [{id: default, provider: echo}]\n", encoding="utf-8")
    program = f"""
import asyncio, pathlib, sys
from gateway.settings import load
from gateway.wiring import build

async def main():
    async with build(load(pathlib.Path({str(config)!r}), {{}})) as gateway:
        print([name for name in sys.modules if name.startswith("opentelemetry")], type(gateway.directory).__name__)

asyncio.run(main())
"""
    environ = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin"}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environ, check=True)
    assert ran.stdout.decode().strip() == "[] Directory"


def test_who_traces_nothing_is_served_by_what_was_there() -> None:
    async def run(claim: Claim, stop: Stop) -> None: ...

    untraced, provider, outbound = Untraced(), EchoProvider(), FakePlatform()
    assert untraced.provider(provider, Model("echo", "echo")) is provider
    assert untraced.outbound(outbound) is outbound
    assert untraced.turns(run) is run
    assert (untraced.directory, untraced.webhooks, untraced.observers) == (Directory, Webhooks, ())


async def test_a_collector_that_comes_back_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    statuses = [401, 401, 200]

    async def take(_: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0) if len(statuses) > 1 else statuses[0], text="no")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    with structlog.testing.capture_logs() as lines:
        async with TestServer(app) as server, exported(Destination(str(server.make_url("")))) as spans:
            while "traces taken again" not in [line["event"] for line in lines]:
                spans._tracer.start_span("turn").end()
                await asyncio.sleep(0.02)
    (lost, again) = [line for line in lines if line["event"].startswith("traces")]
    assert (lost["event"], again["event"]) == ("traces not taken", "traces taken again")
    assert "401" in lost["cause"]
    assert again["lost"] >= 2


async def test_a_collector_that_never_answers_delays_the_end_by_a_bounded_time() -> None:
    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await over.wait()
        writer.close()
        await writer.wait_closed()

    taken, over = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with structlog.testing.capture_logs() as lines:
        async with exported(Destination(f"http://127.0.0.1:{port}")) as spans:
            begun = time.perf_counter()
            for _ in range(5000):  # more than its queue holds
                spans._tracer.start_span("turn").end()
            assert time.perf_counter() - begun < 5
            await asyncio.wait_for(taken.wait(), 10)
            closing_at = time.perf_counter()
        assert time.perf_counter() - closing_at < FLUSHED_WITHIN + 2
    assert "last spans lost" in [line["event"] for line in lines]
    over.set()
    server.close()
    await server.wait_closed()
