"""``turnkeeper check`` looks at stored bots and agents as it does at those of the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conversation.clock import SystemClock
from gateway.checkup import examine
from gateway.concrete import make_store
from gateway.keyring import Keyring
from tests.gateway.admin.desk import KEY, settings_in


async def test_a_stored_bot_is_checked_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, store={"url": f"sqlite:///{tmp_path}/t.db"})
    store = make_store(settings, SystemClock())
    await store.open()
    token = Keyring.parse(KEY).seal("xoxb-1", "bot/other#bot_token")  # another bot's
    for id, credentials in (("draft", {}), ("broken", {"bot_token": token})):
        document = {"id": id, "channel": "slack", "agent": "default", "credentials": credentials}
        await store.records.put("bot", id, json.dumps(document).encode(), expected=0)
    await store.close()

    found = [finding async for finding in examine(settings, live=False)]
    said = {finding.subject: finding for finding in found}
    assert said["store"].ok
    assert "draft" in said["bot draft: credentials"].detail
    assert not said["bot broken"].ok
    assert "belongs to another record" in said["bot broken"].detail


async def test_a_wrong_secrets_key_is_a_finding(tmp_path: Path) -> None:
    where = {"url": f"sqlite:///{tmp_path}/t.db"}
    assert all([one.ok async for one in examine(settings_in(tmp_path, store=where), live=False)])
    other = settings_in(tmp_path, store=where, secrets_key="another-key-of-the-tests")
    (fault,) = [one async for one in examine(other, live=False) if not one.ok]
    assert "secrets_key is not the key of this store" in fault.detail


@pytest.mark.parametrize(
    ("status", "ok", "says"),
    [
        (200, True, "takes them"),
        (401, False, "telemetry.otlp_headers"),
        (404, False, "4318"),
        (0, False, "reached"),
    ],
)
async def test_the_collector_of_traces_is_asked_with_its_headers(
    tmp_path: Path, status: int, ok: bool, says: str
) -> None:
    async def take(request: web.Request) -> web.Response:
        return web.Response(status=status if request.headers["Authorization"] == "Bearer made-up" else 500)

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    async with TestServer(app) as collector:
        endpoint = str(collector.make_url("")) if status else "http://127.0.0.1:9"
        telemetry = {"otlp_endpoint": endpoint, "otlp_headers": {"authorization": "Bearer made-up"}}
        found = [one async for one in examine(settings_in(tmp_path, telemetry=telemetry), live=False)]
    (traces,) = [one for one in found if one.subject == "traces"]
    assert traces.ok == ok
    assert says in traces.detail
    assert "made-up" not in traces.detail


async def test_a_collector_of_the_environment_is_asked_as_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["X-Key"] == "a b" else 500)

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    async with TestServer(app) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", str(collector.make_url("")))
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, other=1")
        found = [one async for one in examine(settings_in(tmp_path), live=False)]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        unspoken = [one async for one in examine(settings_in(tmp_path), live=False)]
    assert [one.ok for one in found if one.subject == "traces"] == [True]
    (fault,) = [one for one in unspoken if one.subject == "traces"]
    assert not fault.ok
    assert "http/protobuf" in fault.detail
