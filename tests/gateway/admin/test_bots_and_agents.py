"""Bots and agents that an admin makes: what is stored, what is shown, and what is refused with which remedy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from gateway.admin.access import Principal
from gateway.admin.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    StaleError,
    UnknownError,
)
from gateway.hosting import CollisionError
from tests.gateway.admin.desk import ADMIN, SLACK, bot, desk

AUTHOR = Principal("otto", "operator")
ONE_BOT = Principal("token:one", "admin", frozenset({"helpdesk"}))


async def test_a_bot_that_is_created_is_hosted_at_once_and_its_secrets_are_stored_sealed(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as one:
        made = await one.admin.bots.create(ADMIN, bot())
        assert (made.state, made.version, made.provisioned) == ("ready", 1, False)
        assert one.hosting.routes["slack", "helpdesk"].bot.agent.id == "default"
        (record,) = await one.store.records.all("bot")
        for secret in SLACK.values():
            assert secret.encode() not in record.document
        assert made.credentials["bot_token"].source == "stored"


async def test_a_fingerprint_is_what_sha256sum_prints(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        made = await one.admin.bots.create(
            ADMIN, bot(credentials={"signing_secret": "abc", "bot_token": "abc"})
        )
        assert made.credentials["bot_token"].fingerprint == "ba7816bf"


async def test_a_bot_without_all_of_its_credentials_is_a_draft_that_has_a_route(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        for document in (
            bot(credentials=None),
            bot("lark", "assistant", credentials={"encrypt_key": "k", "verification_token": "t"}),
        ):
            made = await one.admin.bots.create(ADMIN, document)
            assert made.state == "draft"
            assert one.hosting.routes[made.channel, made.id].draft
        changed = await one.admin.bots.change(ADMIN, "helpdesk", {"credentials": dict(SLACK)}, 1)
        assert (changed.state, changed.version) == ("ready", 2)


async def test_a_change_leaves_alone_what_it_does_not_name(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        before = await one.admin.bots.create(ADMIN, bot(max_age="10m"))
        changed = await one.admin.bots.change(ADMIN, "helpdesk", {"enabled": False}, before.version)
        assert changed.credentials == before.credentials
        assert (changed.state, changed.settings.max_age) == ("disabled", 600.0)
        cleared = await one.admin.bots.change(
            ADMIN, "helpdesk", {"max_age": None, "credentials": {"bot_token": None}}, changed.version
        )
        assert (cleared.state, cleared.settings.max_age) == ("draft", 1800.0)
        assert not cleared.credentials["bot_token"].set
        assert cleared.credentials["signing_secret"].set


async def test_a_channel_that_knows_nothing_of_a_change_stays_the_same_listener(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        channel = one.hosting.routes["slack", "helpdesk"].channel
        await one.admin.bots.change(ADMIN, "helpdesk", {"when_busy": "merge", "allow": {"users": ["U1"]}}, 1)
        hosted = one.hosting.routes["slack", "helpdesk"]
        assert hosted.channel is channel
        assert (hosted.bot.when_busy, hosted.bot.gates.users) == ("merge", frozenset({"U1"}))
        await one.admin.bots.change(ADMIN, "helpdesk", {"stream": False}, 2)
        assert one.hosting.routes["slack", "helpdesk"].channel is not channel


async def test_a_removed_bot_has_no_route_and_answers_what_waits_with_a_notice(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        await one.admin.bots.remove(ADMIN, "helpdesk", 1)
        assert ("slack", "helpdesk") not in one.hosting.routes
        assert not one.hosting.bots["helpdesk"].gates.enabled
        with pytest.raises(UnknownError):
            await one.admin.bots.get(ADMIN, "helpdesk")


async def test_what_stands_in_the_file_is_shown_and_is_read_only(tmp_path: Path) -> None:
    async with desk(tmp_path, bots=[bot()]) as one:
        (shown,) = await one.admin.bots.list(ADMIN)
        assert (shown.provisioned, shown.version, shown.state) == (True, 0, "ready")
        assert shown.credentials["bot_token"].source == "file"
        for wish in (
            one.admin.bots.change(ADMIN, "helpdesk", {"enabled": False}, None),
            one.admin.bots.remove(ADMIN, "helpdesk", None),
            one.admin.bots.create(ADMIN, bot()),
        ):
            with pytest.raises(ConflictError, match="configuration file"):
                await wish


async def test_an_id_in_the_file_and_in_the_store_is_an_error_at_the_start(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
    with pytest.raises(CollisionError, match="bot 'helpdesk' is in the configuration file and in the store"):
        async with desk(tmp_path, one.store, bots=[bot()]):
            pass


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"id": "Help Desk"}, "id", "must be lower-case letters"),
        ({"channel": "teams"}, "channel", "unknown channel; use one of lark, slack"),
        ({"channel": None}, "channel", "is missing; add slack or lark"),
        ({"agent": "nobody"}, "agent", "there is no agent 'nobody'"),
        ({"agent": None}, "agent", "is missing; add it"),
        ({"credentials": {"bot_tokn": "x"}}, "credentials.bot_tokn", "did you mean bot_token?"),
        ({"credentials": {"bot_token": 5}}, "credentials.bot_token", "must be text"),
        ({"credentials": {"bot_token": "env:NOWHERE"}}, "credentials.bot_token", "NOWHERE is not set"),
        ({"credentials": {"bot_token": "file:nowhere"}}, "credentials.bot_token", "cannot be read"),
        ({"max_age": "soon"}, "max_age", "must be a duration"),
        ({"when_busy": "panic"}, "when_busy", "must be"),
        ({"colour": "red"}, "colour", "unknown key"),
        ({"api_base_url": "slack.com"}, "api_base_url", "must be an address"),
    ],
)
async def test_each_wrong_field_is_named_with_its_remedy_and_nothing_is_stored(
    tmp_path: Path, change: dict[str, Any], field: str, said: str
) -> None:
    async with desk(tmp_path) as one:
        with pytest.raises(InvalidError) as caught:
            await one.admin.bots.create(ADMIN, bot(**change))
        (problem,) = caught.value.problems
        assert problem.field == field
        assert said in problem.problem
        assert await one.store.records.all("bot") == ()


async def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        await one.admin.bots.change(ADMIN, "helpdesk", {"enabled": False}, 1)
        with pytest.raises(StaleError):
            await one.admin.bots.change(ADMIN, "helpdesk", {"enabled": True}, 1)
        with pytest.raises(StaleError):
            await one.admin.bots.remove(ADMIN, "helpdesk", 1)
        with pytest.raises(ConflictError, match="already"):
            await one.admin.bots.create(ADMIN, bot())


async def test_without_a_secrets_key_secrets_can_only_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_THE_TESTS", "xoxb-1")
    async with desk(tmp_path, secrets_key=None) as one:
        with pytest.raises(InvalidError, match="no secrets_key is configured") as caught:
            await one.admin.bots.create(ADMIN, bot())
        assert "xoxb" not in str(caught.value)
        (tmp_path / "signing").write_text("s3cret\n")
        made = await one.admin.bots.create(
            ADMIN,
            bot(credentials={"bot_token": "env:TOKEN_OF_THE_TESTS", "signing_secret": "file:signing"}),
        )
        assert made.state == "ready"
        assert made.credentials["bot_token"].source == "env:TOKEN_OF_THE_TESTS"
        assert made.credentials["signing_secret"].source == "file:signing"


async def test_one_secret_that_cannot_be_read_makes_one_bot_faulty_and_breaks_no_list(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        await one.admin.bots.create(ADMIN, bot("lark", "assistant"))
        store = one.store
    await store.records.delete("canary", "secrets_key", expected=1)
    async with desk(tmp_path, store, secrets_key="another-key-of-the-tests") as one:
        broken = {view.id: view for view in await one.admin.bots.list(ADMIN)}
        assert {view.state for view in broken.values()} == {"faulty"}
        assert "which secrets_key does not list" in str(broken["helpdesk"].credentials["bot_token"].problem)
        mended = await one.admin.bots.change(ADMIN, "helpdesk", {"credentials": dict(SLACK)}, 1)
        assert mended.state == "ready"
        assert one.hosting.routes.keys() == {("slack", "helpdesk")}


async def test_a_bot_that_runs_goes_on_as_it_was_when_its_record_breaks(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        before = one.hosting.routes["slack", "helpdesk"]
        await one.store.records.put("bot", "helpdesk", b'{"id":"helpdesk","channel":"slack"}', expected=1)
        await one.hosting.refresh()
        assert one.hosting.routes["slack", "helpdesk"].channel is before.channel
        assert (await one.admin.bots.get(ADMIN, "helpdesk")).state == "faulty"


async def test_an_agent_is_made_used_and_not_taken_away_under_its_bots(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        made = await one.admin.agents.create(
            ADMIN, {"id": "clever", "provider": "openai", "model": "m", "api_key": "sk-marzipan"}
        )
        assert (made.version, made.api_key.source) == (1, "stored")
        await one.admin.bots.create(ADMIN, bot(agent="clever"))
        assert (await one.admin.agents.get(ADMIN, "clever")).bots == ("helpdesk",)
        with pytest.raises(ConflictError, match="answers for helpdesk"):
            await one.admin.agents.remove(ADMIN, "clever", 1)
        await one.admin.agents.change(ADMIN, "clever", {"system_prompt": "Be short."}, 1)
        assert one.hosting.bots["helpdesk"].agent.system_prompt == "Be short."
        (record,) = await one.store.records.all("agent")
        assert b"marzipan" not in record.document


async def test_an_agent_is_pinged_within_its_health_timeout(tmp_path: Path) -> None:
    dead = {"id": "dead", "provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    async with desk(tmp_path, agents=[{"id": "default", "provider": "echo"}, dead]) as one:
        assert (await one.admin.agents.ping(ADMIN, "default")).ok
        failed = await one.admin.agents.ping(ADMIN, "dead")
        assert not failed.ok
        assert failed.detail
        with pytest.raises(UnknownError):
            await one.admin.agents.ping(ADMIN, "nobody")


async def test_who_may_do_what(tmp_path: Path) -> None:
    async with desk(tmp_path, bots=[bot(id="other")]) as one:
        await one.admin.bots.create(ADMIN, bot())
        for wish in (
            one.admin.bots.create(AUTHOR, bot(id="third")),
            one.admin.bots.change(AUTHOR, "helpdesk", {"enabled": False}, 1),
            one.admin.bots.remove(AUTHOR, "helpdesk", 1),
            one.admin.agents.create(AUTHOR, {"id": "a", "provider": "echo"}),
            one.admin.bots.create(ONE_BOT, bot(id="third")),
            one.admin.agents.ping(Principal("v", "viewer"), "default"),
        ):
            with pytest.raises(NotAllowedError):
                await wish
        assert [view.id for view in await one.admin.bots.list(ONE_BOT)] == ["helpdesk"]
        with pytest.raises(UnknownError):
            await one.admin.bots.get(ONE_BOT, "other")
        changed = await one.admin.bots.change(ONE_BOT, "helpdesk", {"enabled": False}, 1)
        assert changed.state == "disabled"


async def test_every_change_is_in_the_audit_by_its_fields_and_never_by_a_value(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        await one.admin.bots.change(ADMIN, "helpdesk", {"credentials": {"bot_token": "xoxb-marzipan"}}, 1)
        await one.admin.bots.remove(ADMIN, "helpdesk", 2)
        entries = [entry.deed for entry in await one.store.audit.before(None, 9)]
        assert [deed.action for deed in entries] == ["bot.removed", "bot.changed", "bot.created"]
        assert entries[1].detail == "credentials.bot_token"
        assert {deed.who for deed in entries} == {"anna"}
        assert "xoxb" not in str(entries)


async def test_what_one_replica_stores_another_one_hosts_when_it_looks(tmp_path: Path) -> None:
    store = MemoryStore(SystemClock())
    async with desk(tmp_path, store) as one, desk(tmp_path, store) as other:
        await one.admin.bots.create(ADMIN, bot())
        assert not other.hosting.routes
        await other.hosting.refresh()
        assert other.hosting.routes.keys() == {("slack", "helpdesk")}


async def test_a_manifest_is_there_for_a_draft_and_names_its_address(tmp_path: Path) -> None:
    async with desk(tmp_path, server={"public_url": "https://bots.example.com"}) as one:
        await one.admin.bots.create(ADMIN, bot(credentials=None))
        await one.admin.bots.create(ADMIN, bot("lark", "assistant", credentials=None, region="lark"))
        slack = await one.admin.bots.manifest(ADMIN, "helpdesk")
        assert slack.manifest is not None
        assert slack.manifest.count("https://bots.example.com/webhooks/slack/helpdesk") >= 2
        assert slack.redirect_url == "https://bots.example.com/slack/helpdesk/oauth_redirect"
        assert slack.redirect_url in slack.manifest
        assert slack.install_url is None, "whether several workspaces install it is not known yet"
        assert slack.create_url is not None
        lark = await one.admin.bots.manifest(ADMIN, "assistant")
        assert lark.console_url == "https://open.larksuite.com/app"
        assert {need.name for need in lark.events} >= {"im.message.receive_v1", "im.message.recalled_v1"}


async def test_one_damaged_record_is_shown_as_faulty_and_can_only_be_removed(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        for kind, id, written in (
            ("bot", "broken", b"{"),
            ("bot", "half", b'{"id":"half","agent":5}'),
            ("bot", "moved", b'{"id":"helpdesk","channel":"lark","agent":"default"}'),
            ("agent", "broken", b"[]"),
        ):
            await one.store.records.put(kind, id, written, expected=0)
        await one.hosting.refresh()
        states = {view.id: view.state for view in await one.admin.bots.list(ADMIN)}
        assert states == {"broken": "faulty", "half": "faulty", "helpdesk": "ready", "moved": "faulty"}
        for view in await one.admin.bots.list(ADMIN):
            assert view.credentials.keys() >= SLACK.keys(), "whoever shows them finds each of them"
        (agent,) = (view for view in await one.admin.agents.list(ADMIN) if view.id == "broken")
        assert "is damaged; remove it" in str(agent.problem)
        for id in ("broken", "moved"):
            assert "is damaged; remove it" in str((await one.admin.bots.get(ADMIN, id)).problem)
            with pytest.raises(InvalidError, match="is damaged; remove it"):
                await one.admin.bots.change(ADMIN, id, {"enabled": False}, 1)
        with pytest.raises(InvalidError, match="channel"):
            await one.admin.bots.change(ADMIN, "half", {"enabled": False}, 1)
        for id in ("broken", "half", "moved"):
            await one.admin.bots.remove(ADMIN, id, 1)
        await one.admin.agents.remove(ADMIN, "broken", 1)
        assert [view.id for view in await one.admin.bots.list(ADMIN)] == ["helpdesk"]


async def test_a_rotation_names_a_damaged_record_and_goes_on(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.store.records.put("bot", "broken", b"{", expected=0)
        await one.admin.bots.create(ADMIN, bot())
        done = await one.admin.rotation.rotate(ADMIN)
        assert (done.current, done.unreadable) == (2, ("bot/broken",))


async def test_what_was_just_made_at_one_replica_can_be_used_at_another_at_once(tmp_path: Path) -> None:
    """A load balancer sends an admin's next request anywhere."""
    store = MemoryStore(SystemClock())
    async with desk(tmp_path, store) as one, desk(tmp_path, store) as other:
        await one.admin.agents.create(ADMIN, {"id": "clever", "provider": "echo"})
        await other.admin.bots.create(ADMIN, bot(agent="clever"))
        with pytest.raises(ConflictError, match="answers for helpdesk"):
            await one.admin.agents.remove(ADMIN, "clever", 1)
        await other.admin.agents.create(ADMIN, {"id": "third", "provider": "echo"})
        assert (await one.admin.agents.ping(ADMIN, "third")).ok


async def test_what_another_replica_stores_under_an_id_of_the_file_is_told_and_changes_nothing(
    tmp_path: Path,
) -> None:
    store = MemoryStore(SystemClock())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with (
        desk(tmp_path, store, bots=[bot()]) as one,
        desk(elsewhere, store, agents=[{"id": "other", "provider": "echo"}]) as other,
    ):
        await other.admin.agents.create(ADMIN, {"id": "default", "provider": "echo"})
        await other.admin.bots.create(ADMIN, bot(enabled=False))
        await one.hosting.refresh()
        (shown,) = await one.admin.bots.list(ADMIN)
        assert (shown.provisioned, shown.state) == (True, "ready")
        assert "give the one in the configuration file another id" in str(shown.problem)
        (agent,) = await one.admin.agents.list(ADMIN)
        assert (agent.provisioned, agent.problem is not None) == (True, True)


async def test_what_is_given_as_null_is_as_if_it_were_left_out(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        made = await one.admin.bots.create(
            ADMIN,
            {"id": "helpdesk", "channel": "slack", "agent": "default", "credentials": None, "allow": None},
        )
        assert (made.state, made.settings.allow.users) == ("draft", ())


async def test_two_admins_who_change_the_same_version_at_once_are_not_both_believed(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        done = await asyncio.gather(
            *(one.admin.bots.change(ADMIN, "helpdesk", {"max_replies": most}, 1) for most in (1, 2)),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in done) == ["BotView", "StaleError"]


async def test_a_secret_that_is_sent_back_as_it_was_stored_opens_nothing(tmp_path: Path) -> None:
    """What stands in one record, copied into another, is only a text."""
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        (record,) = await one.store.records.all("bot")
        sealed = json.loads(record.document)["credentials"]["bot_token"]
        copied = await one.admin.bots.create(
            ADMIN, bot(id="copy", credentials={"signing_secret": "s", "bot_token": sealed})
        )
        first = await one.admin.bots.get(ADMIN, "helpdesk")
        assert copied.credentials["bot_token"].fingerprint != first.credentials["bot_token"].fingerprint


@pytest.mark.parametrize("reference", ["env:HOME", "file:turnkeeper.yaml"])
async def test_whoever_is_for_some_bots_names_no_secret_of_the_gateways(
    tmp_path: Path, reference: str
) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot())
        stolen: dict[str, Any] = {
            "credentials": {"bot_token": reference},
            "api_base_url": "https://example.com",
        }
        with pytest.raises(NotAllowedError, match="enter the secret itself"):
            await one.admin.bots.change(ONE_BOT, "helpdesk", stolen, 1)
        changed = await one.admin.bots.change(ONE_BOT, "helpdesk", {"credentials": dict(SLACK)}, 1)
        assert changed.version == 2
        changed = await one.admin.bots.change(ADMIN, "helpdesk", {"credentials": {"bot_token": reference}}, 2)
        assert changed.credentials["bot_token"].source == reference


@pytest.mark.parametrize(
    ("patch", "field", "said"),
    [
        ({"id": "other"}, "id", "cannot be changed; create another, and remove this one"),
        ({"id": None}, "id", "cannot be changed"),
        ({"channel": "lark"}, "channel", "cannot be changed; create another bot"),
        ({"channel": None}, "channel", "cannot be changed"),
        ({"agent": None}, "agent", "is missing; add it"),
        ({"agent": "nobody"}, "agent", "there is no agent 'nobody'; there are default"),
        ({"credentials": "xoxb-1"}, "credentials", "must be a mapping"),
        ({"credentials": {"app_id": "cli_1"}}, "credentials.app_id", "unknown key"),
        ({"allow": {"users": "U1"}}, "allow.users", "must be a list"),
        ({"region": "lark"}, "region", "unknown key"),
        ({"max_replies": 0}, "max_replies", "must be greater than or equal to 1"),
    ],
)
async def test_a_change_that_makes_no_sense_names_its_field_and_changes_nothing(
    tmp_path: Path, patch: dict[str, Any], field: str, said: str
) -> None:
    async with desk(tmp_path) as one:
        before = await one.admin.bots.create(ADMIN, bot())
        with pytest.raises(InvalidError) as caught:
            await one.admin.bots.change(ADMIN, "helpdesk", patch, None)
        (problem,) = caught.value.problems
        assert problem.field == field
        assert said in problem.problem
        assert await one.admin.bots.get(ADMIN, "helpdesk") == before


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"id": "Clever One"}, "id", "must be lower-case letters"),
        ({"provider": "opnai"}, "provider", "did you mean openai?"),
        ({"provider": "acp"}, "provider", "not in this version"),
        ({"model": ""}, "model", "is missing; add the name of the model"),
        ({"base_url": "example.com"}, "base_url", "must be an address"),
        ({"api_key": ["sk-1"]}, "api_key", "must be text"),
        ({"timeouts": {"idle": 0}}, "timeouts.idle", "must be greater than 0"),
        ({"timeouts": {"idel": 5}}, "timeouts.idel", "did you mean idle?"),
        ({"max_context_tokens": True}, "max_context_tokens", "must be a whole number"),
    ],
)
async def test_each_wrong_field_of_an_agent_is_named_with_its_remedy(
    tmp_path: Path, change: dict[str, Any], field: str, said: str
) -> None:
    async with desk(tmp_path) as one:
        right = {"id": "clever", "provider": "openai", "model": "m"}
        with pytest.raises(InvalidError) as caught:
            await one.admin.agents.create(ADMIN, right | change)
        (problem,) = caught.value.problems
        assert problem.field == field
        assert said in problem.problem
        assert await one.store.records.all("agent") == ()


async def test_lists_are_replaced_and_sections_merged(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.bots.create(ADMIN, bot(allow={"users": ["U1", "U2"], "chats": ["C1"]}))
        changed = await one.admin.bots.change(ADMIN, "helpdesk", {"allow": {"users": ["U3"]}}, 1)
        assert (changed.settings.allow.users, changed.settings.allow.chats) == (("U3",), ("C1",))


async def test_what_is_not_there_can_be_neither_changed_nor_removed(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        for wish in (
            one.admin.bots.change(ADMIN, "nobody", {"enabled": False}, None),
            one.admin.bots.remove(ADMIN, "nobody", 1),
            one.admin.bots.manifest(ADMIN, "nobody"),
            one.admin.agents.change(ADMIN, "nobody", {"system_prompt": ""}, None),
            one.admin.agents.remove(ADMIN, "nobody", None),
        ):
            with pytest.raises(UnknownError, match="'nobody'"):
                await wish


async def test_a_bot_whose_agents_key_cannot_be_read_says_that_it_is_the_agents(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        await one.admin.agents.create(ADMIN, {"id": "clever", "provider": "echo", "api_key": "sk-1"})
        await one.admin.bots.create(ADMIN, bot(agent="clever", credentials=None))
        store = one.store
    async with desk(tmp_path, store, secrets_key=None) as one:
        (shown,) = await one.admin.bots.list(ADMIN)
        assert shown.state == "faulty"
        assert "its agent 'clever' cannot be used: api_key: cannot be read: secrets_key is not set" in str(
            shown.problem
        )
        await one.admin.agents.change(ADMIN, "clever", {"api_key": None}, 1)
        assert (await one.admin.bots.get(ADMIN, "helpdesk")).state == "draft"
