"""A store app on Lark: tickets, a token for each tenant, through the real gateway and signed webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sealing import APP_TICKETS
from gateway.demo.lark import LarkStandin
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.gateway.running import Running, running

APP = ("cli_store", "made-up-app-secret")


@pytest.fixture
async def lark() -> AsyncIterator[LarkStandin]:
    async with LarkStandin(
        app_id=APP[0],
        app_secret=APP[1],
        encrypt_key="made-up-key",
        store_app=True,
        redeliver=False,
        retry_delays=(0.05,) * 20,
        latency=0.005,
    ) as standin:
        assert standin.store is not None
        standin.store.tenants |= {"tenant-1", "tenant-2"}
        yield standin
        assert standin.complaints == []


def bot(lark: LarkStandin) -> dict[str, object]:
    return {
        "id": "assistant",
        "channel": "lark",
        "app_type": "store",
        "external_users": "allow",
        "api_base_url": lark.api_base_url,
        "credentials": {"app_id": APP[0], "app_secret": APP[1], "encrypt_key": "made-up-key"},
    }


@pytest.fixture
async def here(tmp_path: Path, lark: LarkStandin) -> AsyncIterator[Running]:
    async with running(tmp_path, bot(lark)) as one:
        yield one


def webhook(here: Running) -> str:
    return f"{here.url}/webhooks/lark/assistant"


async def say(lark: LarkStandin, here: Running, tenant: str, chat: str = "") -> Said:
    return await lark.say(
        webhook(here), chat=chat or f"oc_{tenant}", user="ou_1", text="hello", tenant=tenant
    )


async def answers(lark: LarkStandin, here: Running, chat: str) -> list[Shown]:
    async with asyncio.timeout(20):
        while here.gateway.directory.running:
            await asyncio.sleep(0.01)
    return [shown for shown in lark.chat(chat) if shown.author == "bot"]


async def test_each_tenant_is_answered_with_its_own_token(lark: LarkStandin, here: Running) -> None:
    assert (await lark.send_ticket(webhook(here))).admission == "ignored; reason=app_ticket"
    for tenant in ("tenant-1", "tenant-2"):
        said = await say(lark, here, tenant)
        assert said.accepted
        assert len(await answers(lark, here, f"oc_{tenant}")) == 1
    assert lark.store is not None
    assert set(lark.store.tenant_tokens.values()) == {"tenant-1", "tenant-2"}


async def test_a_ticket_is_stored_sealed(lark: LarkStandin, here: Running) -> None:
    await lark.send_ticket(webhook(here))
    (record,) = await here.store.records.all(APP_TICKETS)
    assert lark.store is not None
    assert lark.store.ticket.encode() not in record.document
    assert b"sealed:" in record.document


async def test_each_token_is_asked_for_once_for_many_conversations(lark: LarkStandin, here: Running) -> None:
    await lark.send_ticket(webhook(here))
    await asyncio.gather(*(say(lark, here, "tenant-1", f"oc_{n}") for n in range(10)))
    for n in range(10):
        assert len(await answers(lark, here, f"oc_{n}")) == 1
    assert lark.store is not None
    assert lark.store.calls["auth/v3/app_access_token"] == 1
    assert lark.store.calls["auth/v3/tenant_access_token"] == 1


async def test_a_missing_ticket_is_asked_for_and_the_answer_waits(
    lark: LarkStandin, here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.lark.store_app.TICKET_COMES_WITHIN", 0.1)
    said = await say(lark, here, "tenant-1")
    assert said.accepted
    assert lark.store is not None
    async with asyncio.timeout(5):
        while not lark.store.asked:
            await asyncio.sleep(0.01)
    await lark.send_ticket(webhook(here))
    async with asyncio.timeout(20):
        while not await answers(lark, here, "oc_tenant-1"):
            await asyncio.sleep(0.05)
    assert lark.store.asked == 1


async def test_a_token_that_the_platform_forgot_is_had_anew(lark: LarkStandin, here: Running) -> None:
    await lark.send_ticket(webhook(here))
    await say(lark, here, "tenant-1")
    assert len(await answers(lark, here, "oc_tenant-1")) == 1
    assert lark.store is not None
    lark.expire_tokens()
    lark.store.app_tokens.clear()
    await say(lark, here, "tenant-1")
    assert len(await answers(lark, here, "oc_tenant-1")) == 2


async def test_a_tenant_without_the_app_gets_no_token_and_harms_no_other(
    lark: LarkStandin, here: Running
) -> None:
    await lark.send_ticket(webhook(here))
    await say(lark, here, "tenant-9")
    await say(lark, here, "tenant-1")
    assert len(await answers(lark, here, "oc_tenant-1")) == 1
    assert await answers(lark, here, "oc_tenant-9") == []


async def test_without_a_key_a_ticket_is_not_taken_and_the_log_names_the_remedy(
    tmp_path: Path, lark: LarkStandin, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, bot(lark), secrets_key=None) as here:
        assert (await lark.send_ticket(webhook(here))).status == 503
        (finding,) = await here.gateway.hosting.routes["lark", "assistant"].channel.check()
        assert "secrets_key is not set" in finding.detail
        assert not finding.ok
    assert "secrets_key is not set" in capfd.readouterr().out


async def test_somebody_elses_ticket_is_not_kept(lark: LarkStandin, here: Running) -> None:
    other = LarkStandin(app_id="cli_other", app_secret="x", encrypt_key="made-up-key", store_app=True)
    async with other:
        assert (await other.send_ticket(webhook(here))).admission == "ignored; reason=other_app"
    assert await here.store.records.all(APP_TICKETS) == ()
