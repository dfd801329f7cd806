"""The self-test of a bot, on the real gateway with the strict stand-ins of both platforms."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.admin.access import Principal
from gateway.admin.errors import NotAllowedError, UnknownError
from gateway.admin.selftest import STEPS
from tests.gateway.admin.both_platforms import ADMIN, SECRET, TOKEN, add_lark, add_slack, town


@pytest.mark.parametrize("bot", ["helpdesk", "assistant"])
async def test_a_bot_that_works_passes_every_step_and_nothing_is_seen_on_its_platform(
    tmp_path: Path, bot: str
) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole, enabled=False)
        await add_lark(whole)
        found = await whole.test(bot)
        assert {step: one.ok for step, one in found.items()} == dict.fromkeys(STEPS, True)
        assert found["model"].seconds is not None
        assert found["reply"].seconds is not None
        assert found["reply"].seconds >= found["model"].seconds
        calls = {**whole.slack.calls, **whole.lark.calls}
        assert not [name for name in calls if "chat." in name or "message" in name or "card" in name]
        status = await whole.admin.status.of(ADMIN, bot)
        assert (status.challenge_at, status.first_event_at, status.acks, status.replies) == (
            None,
            None,
            {},
            {},
        )
        assert status.seen_events == ()
        listed = await whole.admin.conversations.list(ADMIN, bot=None, cursor=None, limit=9)
        assert listed.items == ()
        last = whole.store.turns.happened[-1]
        assert (last.kind, last.detail) == ("turn.completed", "answered")
        assert await whole.store.transcripts.said(last.key, 9) == (), "nothing of a test is remembered"


async def test_a_draft_is_told_what_it_lacks_and_goes_no_further(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole, credentials={"signing_secret": SECRET})
        found = await whole.test("helpdesk")
        assert list(found) == ["secrets", "done"]
        assert found["secrets"].detail == "the bot is a draft: add bot_token"
        assert found["done"].ok is False


async def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        (tmp_path / "token").write_text(TOKEN)
        await add_slack(whole, credentials={"signing_secret": SECRET, "bot_token": f"file:{tmp_path}/token"})
        (tmp_path / "token").unlink()
        found = await whole.test("helpdesk")
        assert found["secrets"].ok is False
        assert "bot_token" in found["secrets"].detail
        assert TOKEN not in found["secrets"].detail


async def test_without_a_public_url_the_rest_is_tested_and_it_is_said_what_to_set(tmp_path: Path) -> None:
    async with town(tmp_path, public=False) as whole:
        await add_slack(whole)
        found = await whole.test("helpdesk")
        assert found["webhook"].ok is None
        assert "server.public_url" in found["webhook"].detail
        assert found["done"].ok is True


async def test_an_address_that_is_not_reached_from_inside_is_no_fault(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        whole.admin.bots._public_url = "http://127.0.0.1:1"
        found = await whole.test("helpdesk")
        assert found["webhook"].ok is None
        assert "could not be reached from here" in found["webhook"].detail
        assert found["done"].ok is True


async def test_an_address_at_which_somebody_else_answers_is_a_fault(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        whole.admin.bots._public_url = whole.slack.url
        found = await whole.test("helpdesk")
        assert found["webhook"].ok is False
        assert "HTTP 404" in found["webhook"].detail
        assert found["done"].ok is False


async def test_credentials_that_the_platform_refuses_and_scopes_that_are_missing_are_told(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        whole.slack.scopes -= {"chat:write"}
        found = await whole.test("helpdesk")
        assert found["platform"].ok is True
        assert found["scopes"].ok is False
        assert "chat:write" in found["scopes"].detail
        await add_lark(whole, app_secret="another")
        found = await whole.test("assistant")
        assert found["platform"].ok is False
        assert "app_secret is wrong" in found["platform"].detail
        assert found["reply"].ok is True
        assert found["done"].ok is False


async def test_a_model_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    model = {"provider": "openai", "model": "none", "base_url": "http://127.0.0.1:1/v1", "api_key": "made-up"}
    async with town(tmp_path, agent=model) as whole:
        await add_slack(whole)
        found = await whole.test("helpdesk")
        assert found["queue"].ok is True
        assert found["model"].ok is False
        assert found["model"].detail.startswith("model_error")
        assert "reply" not in found
        assert found["done"].ok is False


async def test_two_tests_at_once_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        both = await asyncio.gather(whole.test("helpdesk"), whole.test("helpdesk"))
        assert all(found["done"].ok for found in both)


async def test_who_may_not_operate_a_bot_may_not_test_it(tmp_path: Path) -> None:
    async with town(tmp_path) as whole:
        await add_slack(whole)
        with pytest.raises(NotAllowedError):
            whole.admin.selftest.run(Principal("vera", "viewer"), "helpdesk")
        with pytest.raises(UnknownError):
            whole.admin.selftest.run(Principal("sid", "operator", frozenset({"other"})), "helpdesk")
        with pytest.raises(UnknownError):
            await anext(whole.admin.selftest.run(ADMIN, "gone"))
        assert [entry.deed.action for entry in await whole.store.audit.before(None, 9)] == ["bot.created"]
