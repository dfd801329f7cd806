"""What platforms send is seen in the bot's status."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from channels.port import PROBE_TENANT
from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from gateway.admin.access import Principal
from gateway.admin.status import StatusView
from gateway.wiring import Gateway, build
from tests.gateway.admin.desk import SLACK, bot, settings_in

ADMIN = Principal("ada", "admin")


def signed(payload: object, *, secret: str = SLACK["signing_secret"]) -> tuple[bytes, dict[str, str]]:
    body, timestamp = orjson.dumps(payload), str(int(time.time()))
    mac = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={mac}"}


def message(text: str, *, chat: str = "D1", kind: str = "im") -> dict[str, object]:
    ts = f"{time.time():.6f}"
    event = {"type": "message", "channel": chat, "channel_type": kind, "user": "U1", "ts": ts, "text": text}
    return {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event}


async def status(gateway: Gateway) -> StatusView:
    assert gateway.administration is not None
    return await gateway.administration.status.of(ADMIN, "helpdesk")


async def test_from_the_first_challenge_to_the_first_event(tmp_path: Path) -> None:
    store = MemoryStore(SystemClock())
    async with (
        build(settings_in(tmp_path, bots=[bot()]), store=store) as gateway,
        TestClient(TestServer(gateway.app)) as client,
    ):

        async def send(payload: object, **how: str) -> aiohttp.ClientResponse:
            body, headers = signed(payload, **how)
            return await client.post("/webhooks/slack/helpdesk", data=body, headers=headers)

        assert (await status(gateway)).challenge_at is None
        await send({"type": "url_verification", "challenge": f"{PROBE_TENANT}-1"})
        assert (await status(gateway)).challenge_at is None, "a self-test is not the platform"
        await send({"type": "url_verification", "challenge": "abc"})
        after = await status(gateway)
        assert after.challenge_at is not None
        assert after.first_event_at is None
        assert after.acks == {"challenge": 1}

        assert (await send(message("hello"), secret="another")).status == 401
        after = await status(gateway)
        assert (after.last_error, after.rejected) == ("rejected:signature", {"signature": 1})
        assert after.first_event_at is None

        await send(message("hello", chat="C1", kind="channel"))
        after = await status(gateway)
        assert after.ignored == {"not_mentioned": 1}
        assert after.first_event_at == after.last_event_at is not None
        assert after.seen_events == ("message.channels",)
        assert after.ack_ms_p99 is not None
        assert 1 <= after.ack_ms_p99 < 3000


async def test_a_store_that_is_away_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("away")

    async with build(settings_in(tmp_path, bots=[bot()])) as gateway:
        monkeypatch.setattr(gateway.store.turns, "admit", away)
        async with TestClient(TestServer(gateway.app)) as client:
            body, headers = signed(message("hello"))
            response = await client.post("/webhooks/slack/helpdesk", data=body, headers=headers)
        assert response.status == 503
        found = await status(gateway)
        assert (found.last_error, found.acks, found.first_event_at) == (
            "store_unavailable",
            {"unavailable": 1},
            None,
        )
