"""The real process sends its traces to a real collector's door: OTLP over HTTP, also after it was killed."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.faults.test_replicas import on_redis
from tests.town import town
from tests.waiting import until


@dataclass
class Collector:
    """Takes what a collector takes, and keeps it."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/x-protobuf"
        self.authorizations.add(request.headers.get("Authorization", ""))
        for resource in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


def told(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    found = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield found
    finally:
        await runner.cleanup()


async def test_a_turn_whose_process_is_killed_goes_on_in_its_trace_and_links_to_what_was_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with collector() as taken:
        telemetry = {"otlp_endpoint": taken.url, "otlp_headers": {"authorization": "Bearer made-up-key"}}
        async with town(tmp_path, settings={"telemetry": telemetry}, words=40, tokens_per_second=20) as whole:
            said = [await whole.lark_dm("a question")]
            await until(lambda: taken.named("deliver open"), 20)
            await whole.gateway.kill()
            await whole.gateway.start()
            await whole.answered(said, lambda: whole.lark.chat("oc_1"))
            (began,) = taken.named("deliver open")
            await until(lambda: taken.named("turn"), 20)
            (turn,) = taken.named("turn")  # the killed process never ended its own
            assert {span.trace_id for span in taken.spans} == {turn.trace_id}
            assert [link.span_id for link in turn.links] == [began.parent_span_id]
            (admit,) = taken.named("admit")
            assert turn.parent_span_id == admit.span_id
            assert [span.name for span in taken.spans if span.parent_span_id == turn.span_id] == [
                "deliver resume",
                "chat demo-model",
                "deliver close",
            ]
        assert taken.authorizations == {"Bearer made-up-key"}
        assert taken.services == {"turnkeeper"}
        lines = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()]
        (line,) = [line for line in lines if line["event"] == "turn completed"]
        assert [line["trace_id"], line["span_id"]] == [turn.trace_id.hex(), turn.span_id.hex()]
        assert "made-up-key" not in (tmp_path / "gateway.log").read_text()


async def test_what_another_replica_takes_over_links_to_what_the_frozen_one_tells_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with collector() as taken:
        settings = {**on_redis(), "telemetry": {"otlp_endpoint": taken.url}}
        async with town(
            tmp_path, settings=settings, replicas=2, frozen=True, words=40, tokens_per_second=4
        ) as whole:
            said = [await whole.lark_dm("a question")]
            await until(lambda: taken.named("deliver open"), 20)
            whole.gateway.signal(signal.SIGSTOP)
            await whole.answered(said, lambda: whole.lark.chat("oc_1"), within=60)
            await until(lambda: taken.named("turn"), 20)
            whole.gateway.signal(signal.SIGCONT)
            await until(lambda: len(taken.named("turn")) == 2, 30)
        second, first = taken.named("turn")
        assert [link.span_id for link in second.links] == [first.span_id]
        assert not first.links
        assert first.trace_id == second.trace_id
        assert first.parent_span_id == second.parent_span_id
        assert [told(span)["turnkeeper.outcome"] for span in (first, second)] == ["unfinished", "answered"]
        assert {told(span)["turnkeeper.attempt"] for span in (first, second)} == {1, 2}


async def test_what_a_draining_process_traced_last_still_leaves_and_no_collector_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is sent once a minute here: what leaves before, leaves with the drain."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    async with collector() as taken:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", taken.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours")
        async with town(tmp_path, words=5) as whole:
            said = [await whole.slack_dm("a question")]
            await whole.answered(said, lambda: whole.slack.thread("D1", None))
            assert not taken.spans
        assert len(taken.named("turn")) == 1
        assert taken.services == {"ours"}


async def test_messages_are_answered_while_the_collector_is_away_which_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with town(tmp_path, words=5) as whole:
        said = []
        for number in range(4):
            said.append(await whole.lark_dm(f"question {number}"))
            await whole.answered(said, lambda: whole.lark.chat("oc_1"))
        events = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()]
    troubles = [line for line in events if line["level"] != "info"]
    assert [line["event"] for line in troubles] == ["traces not taken"]
    assert "127.0.0.1" in troubles[0]["cause"] or "export" in troubles[0]["cause"]
