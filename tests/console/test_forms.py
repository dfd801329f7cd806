"""Every form without a script: what is saved, what is refused and why, and what stays written."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from conversation.clock import SystemClock
from conversation.stores.sqlite import SqliteStore
from tests.console.visitor import Page, Visitor, console

SECRET = "a-very-secret-signing-secret"
HOSTILE = '</textarea><img src=x onerror="alert(1)">{{ 191 * 191 }}{% include "base.html" %}'
SETTINGS = {
    "transport": "webhook",
    "agent": "echo",
    "respond_to": "mentions",
    "when_busy": "queue",
    "conversation_per": "auto",
    "locale": "auto",
    "stream": "on",
    "external_users": "deny",
    "allow.users": "",
    "allow.chats": "",
    "max_replies": "",
    "max_age": "30m",
    "api_base_url": "",
}
MODEL = {"id": "helpful", "provider": "openai", "model": "gpt-5-mini", "base_url": "http://127.0.0.1:9/v1"}


def value_of(page: Page, name: str) -> str:
    """What stands in a field, or in a hidden one."""
    found = re.search(rf'<input[^>]* name="{re.escape(name)}" value="([^"]*)"', page.text)
    assert found is not None, f"{name} is not on the page"
    return unescape(found[1])


def problem_at(page: Page, id: str) -> str:
    found = re.search(rf'<p class="field-problem" id="{id}-problem">([^<]*)</p>', page.text)
    assert found is not None, f"nothing is said at {id}"
    assert f'id="{id}"' in page.text
    assert f"{id}-problem" in re.findall(rf'id="{id}"[^>]*aria-describedby="([^"]*)"', page.text)[0].split()
    return unescape(found[1])


async def add_slack(admin: Visitor, **fields: str) -> str:
    page = await admin.post("/console/add", {"channel": "slack", "id": "helpdesk", **fields})
    assert page.headers["Location"] == "/console/bots/helpdesk/setup/platform"
    return "/console/bots/helpdesk"


async def test_a_bot_is_added_from_an_empty_store(admin: Visitor) -> None:
    bot = await add_slack(admin)
    page = await admin.get(f"{bot}/setup/platform")
    assert page.says("/webhooks/slack/helpdesk")
    assert "https://api.slack.com/apps?new_app=1" in page.text
    secrets = {"credentials.signing_secret": SECRET, "credentials.bot_token": "xoxb-1"}
    page = await admin.post(f"{bot}/setup/secrets", secrets)
    assert page.headers["Location"].startswith(f"{bot}/setup/agent")
    page = await admin.get(f"{bot}/setup/agent")
    assert page.says("only repeats what it is told")
    page = await admin.post("/console/agents/new", {**MODEL, "for": "helpdesk", "api_key": "sk-1"})
    assert page.headers["Location"].startswith(f"{bot}/setup/agent")
    page = await admin.post(f"{bot}/setup/agent", {"agent": "helpful"})
    assert page.headers["Location"].startswith(f"{bot}/setup/test")
    page = await admin.post(f"{bot}/setup/enable", {})
    assert (await admin.get(page.headers["Location"])).says("The bot is on")
    listed = await admin.get("/console/bots")
    assert listed.says("ready")
    assert SECRET not in (await admin.get(bot)).text


async def test_a_lark_bot_has_its_own_steps(admin: Visitor) -> None:
    await admin.post("/console/add", {"channel": "lark", "id": "assistant", "region": "lark"})
    platform = await admin.get("/console/bots/assistant/setup/platform")
    assert platform.says("https://open.larksuite.com/app")
    assert platform.says("im:message.p2p_msg:readonly")
    address = await admin.get("/console/bots/assistant/setup/address")
    assert address.says("im.message.receive_v1")
    assert (await admin.get("/console/bots/assistant/setup/nothing")).status == 404


@pytest.mark.parametrize(
    ("fields", "id", "says"),
    [
        ({"id": "Help Desk"}, "id", "must be lower-case letters"),
        ({"id": ""}, "id", "must be lower-case letters"),
        ({"id": HOSTILE}, "id", "must be lower-case letters"),
        ({"id": "x", "api_base_url": "ftp://x"}, "api-base-url", "must be an address such as"),
    ],
)
async def test_what_is_wrong_stands_at_its_field(
    admin: Visitor, fields: dict[str, str], id: str, says: str
) -> None:
    page = await admin.post("/console/add", {"channel": "slack", **fields})
    assert page.status == 422
    assert says in problem_at(page, id).lower()
    assert value_of(page, id.replace("-", "_")) == fields[id.replace("-", "_")]
    assert "onerror=" not in page.text or "&#34;alert(1)" in page.text


async def test_a_taken_name_is_told_at_its_field(admin: Visitor) -> None:
    await add_slack(admin)
    page = await admin.post("/console/add", {"channel": "slack", "id": "helpdesk"})
    assert page.status == 409
    assert "helpdesk" in problem_at(page, "id")


async def test_a_missing_secret_is_asked_for_and_a_typed_one_is_not_sent_back(admin: Visitor) -> None:
    bot = await add_slack(admin)
    page = await admin.post(f"{bot}/setup/secrets", {"credentials.signing_secret": SECRET})
    assert page.status == 422
    assert problem_at(page, "credentials-bot-token").startswith("Is needed")
    assert page.says("paste them once more")
    assert SECRET not in page.text


async def test_without_a_secrets_key_it_is_said_what_to_do(tmp_path: Path) -> None:
    async with (
        console(tmp_path, secrets_key=None) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        admin = Visitor(url, http)
        await admin.sign_in()
        bot = await add_slack(admin)
        secrets = {"credentials.signing_secret": SECRET, "credentials.bot_token": "xoxb-1"}
        page = await admin.post(f"{bot}/setup/secrets", secrets)
        assert page.status == 422
        assert "secrets_key" in problem_at(page, "credentials-signing-secret")


async def test_a_bot_for_several_workspaces_is_made_here_and_shows_where_it_is(admin: Visitor) -> None:
    bot = await add_slack(admin)
    version = value_of(await admin.get(bot), "version")
    both = {
        "credentials.bot_token": "xoxb-1",
        "credentials.client_id": "1.2",
        "credentials.client_secret": "s",
    }
    page = await admin.post(f"{bot}/secrets", {"version": version, **both})
    assert "leave one of them out" in problem_at(page, "credentials-bot-token")
    several = {**both, "credentials.signing_secret": SECRET, "credentials.bot_token": ""}
    page = await admin.post(f"{bot}/secrets", {"version": version, **several})
    assert page.headers["Location"] == f"{bot}?done=saved"
    page = await admin.get(bot)
    assert page.says("/slack/helpdesk/install")
    assert page.says("Nobody has installed it yet.")
    assert (await admin.post(f"{bot}/installations/T1/forget", {})).status == 404


async def test_settings_are_changed_and_shown(admin: Visitor) -> None:
    bot = await add_slack(admin)
    page = await admin.get(bot)
    settings = {
        **SETTINGS,
        "version": value_of(page, "version"),
        "respond_to": "all",
        "allow.users": "U1\r\n U2 \r\n\r\n",
        "no_store": "on",
        "stream": "",
        "max_replies": "7",
        "max_age": "2h",
    }
    assert (await admin.post(bot, settings)).headers["Location"] == f"{bot}?done=saved"
    page = await admin.get(f"{bot}?done=saved")
    assert page.says("Saved.")
    assert '<option value="all" selected>' in page.text
    assert "U1\nU2</textarea>" in page.text
    assert value_of(page, "max_age") == "2h"
    assert value_of(page, "max_replies") == "7"
    assert re.search(r'name="no_store"[^>]* checked', page.text)
    assert not re.search(r'name="stream"[^>]* checked', page.text)


async def test_bad_settings_are_told_at_their_fields_and_what_was_written_stays(admin: Visitor) -> None:
    bot = await add_slack(admin)
    version = value_of(await admin.get(bot), "version")
    wrong = {"max_age": "soon", "max_replies": "many", "locale": "xx"}
    page = await admin.post(bot, {**SETTINGS, "version": version, **wrong})
    assert page.status == 422
    for id in ("max-age", "max-replies", "locale"):
        assert problem_at(page, id)
    assert value_of(page, "max_age") == "soon"
    page = await admin.post(bot, {**SETTINGS, "version": version, "agent": "nobody"})
    assert "there is no agent" in problem_at(page, "agent").lower()


async def test_who_saves_a_page_that_others_changed_loses_nothing(admin: Visitor) -> None:
    bot = await add_slack(admin)
    mine = value_of(await admin.get(bot), "version")
    await admin.post(bot, {**SETTINGS, "version": mine, "locale": "en", "max_age": "1h"})
    page = await admin.post(bot, {**SETTINGS, "version": mine, "locale": "zh", "allow.users": "U7"})
    assert page.status == 412
    assert page.says("Somebody else saved meanwhile")
    assert page.says("Now saved: English")
    assert page.says("Now saved: 1h")
    assert "U7</textarea>" in page.text
    assert '<option value="zh" selected>' in page.text
    now = value_of(page, "version")
    assert now != mine
    assert (await admin.post(bot, {**SETTINGS, "version": now, "locale": "zh"})).status == 303


async def test_deleting_asks_for_the_name(admin: Visitor) -> None:
    bot = await add_slack(admin)
    version = value_of(await admin.get(f"{bot}/remove"), "version")
    page = await admin.post(f"{bot}/remove", {"version": version, "confirm": "yes"})
    assert page.status == 422
    assert (await admin.get(bot)).status == 200
    page = await admin.post(f"{bot}/remove", {"version": version, "confirm": "helpdesk"})
    assert page.headers["Location"] == "/console/bots?done=bot_removed"
    assert (await admin.get(bot)).status == 404


async def test_switching_with_a_stale_page_says_so(admin: Visitor) -> None:
    bot = await add_slack(admin)
    version = value_of(await admin.get(bot), "version")
    await admin.post(f"{bot}/secrets", {"version": version, "credentials.bot_token": "xoxb-2"})
    page = await admin.post(f"{bot}/enabled", {"version": version, "enabled": "true"})
    assert page.status == 412
    assert page.says("Somebody else changed it first")


async def test_an_agent_is_made_changed_asked_and_deleted(admin: Visitor) -> None:
    page = await admin.post("/console/agents/new", {**MODEL, "model": "", "id": "A"})
    assert page.status == 422
    assert problem_at(page, "id")
    page = await admin.post("/console/agents/new", {**MODEL, "system_prompt": HOSTILE, "api_key": "sk-1"})
    assert page.headers["Location"] == "/console/agents/helpful?done=agent_saved"
    page = await admin.get("/console/agents/helpful")
    assert "<img" not in page.text.replace('<img src="/console/static/icon.svg" alt="">', "")
    assert "36481" not in page.text
    assert page.says(HOSTILE)
    version = value_of(page, "version")
    changed = {**MODEL, "version": version, "system_prompt": "Be brief.", "timeouts.idle": "90s"}
    assert (await admin.post("/console/agents/helpful", changed)).status == 303
    page = await admin.get("/console/agents/helpful")
    assert value_of(page, "timeouts.idle") == "90s"
    stale = await admin.post("/console/agents/helpful", {**changed, "model": "other"})
    assert stale.status == 412
    assert stale.says("Now saved: gpt-5-mini")
    asked = await admin.post("/console/agents/helpful/ping", {})
    assert asked.says("The model does not answer")
    page = await admin.post("/console/agents/helpful/remove", {"version": value_of(page, "version")})
    assert page.headers["Location"] == "/console/agents?done=agent_removed"


async def test_an_agent_that_a_bot_uses_stays(admin: Visitor) -> None:
    await add_slack(admin)
    page = await admin.post("/console/agents/echo/remove", {"version": "1"})
    assert page.status == 409
    assert page.says("helpdesk")


async def test_a_test_without_scripts_shows_all_findings_at_once(admin: Visitor) -> None:
    bot = await add_slack(admin)
    page = await admin.post(f"{bot}/setup/test", {})
    assert page.status == 200
    assert page.says("Something does not work yet")


async def test_the_playground_says_what_is_wrong_and_keeps_the_text(admin: Visitor) -> None:
    await add_slack(admin)
    page = await admin.get("/console/playground?agent=echo")
    assert page.says("Nothing was said yet")
    page = await admin.post(
        "/console/playground", {"agent": "echo", "chat": "c", "request": "1", "text": " "}
    )
    assert page.status == 422
    assert page.says("Is empty; write something")
    sent = {"agent": "echo", "chat": "c", "request": "2", "text": HOSTILE}
    assert (await admin.post("/console/playground", sent)).status == 303
    assert (await admin.post("/console/playground", sent)).status == 303
    page = await admin.get("/console/playground?agent=echo&chat=c")
    assert unescape(page.text).count(HOSTILE) == 1
    assert "<img src=x" not in page.text
    assert (await admin.get("/console/playground?agent=nobody&chat=c")).status == 404
    assert (await admin.get("/console/playground?agent=echo&chat=%2F")).status == 422


async def test_a_person_without_permission_sees_why(admin: Visitor) -> None:
    bot = await add_slack(admin)
    made = await admin.post("/console/tokens", {"name": "v", "role": "viewer", "expires_in": "1d"})
    found = re.search(r"tk_\w[\w-]+", made.text)
    assert found is not None
    viewer = Visitor(admin.url, admin.http)
    await viewer.sign_in(found[0])
    page = await viewer.get(bot)
    assert page.says("You may look, but not change")
    assert 'name="max_age"' in page.text
    assert "Save secrets" not in page.text
    assert not (await viewer.get("/console/bots")).says("Add a bot")
    for path in ("/console/add", "/console/tokens", "/console/audit", "/console/playground", f"{bot}/remove"):
        refused = await viewer.get(path)
        assert refused.status == 403
        assert refused.says("viewer and may not")
        assert refused.says("Sign in with a token whose role includes it")
    assert (await viewer.post(bot, {"version": "1", "locale": "zh"})).status == 403
    assert (await viewer.post(f"{bot}/setup/test", {})).status == 403


async def test_somebody_of_one_bot_sees_no_other(admin: Visitor) -> None:
    await add_slack(admin)
    await admin.post("/console/add", {"channel": "slack", "id": "secretive"})
    made = await admin.post(
        "/console/tokens", {"name": "h", "role": "operator", "bots": "helpdesk", "expires_in": "1d"}
    )
    found = re.search(r"tk_\w[\w-]+", made.text)
    assert found is not None
    other = Visitor(admin.url, admin.http)
    await other.sign_in(found[0])
    for path in ("/console/", "/console/bots", "/console/live", "/console/conversations", "/console/agents"):
        page = await other.get(path)
        assert page.status == 200
        assert "secretive" not in page.text
    assert (await other.get("/console/bots/secretive")).status == 404
    assert (await other.get("/console/bots/secretive/status")).status == 404
    assert (await other.get("/console/live?bot=secretive")).status == 404


async def test_a_provisioned_bot_is_read_only_and_says_why(tmp_path: Path) -> None:
    sections = {
        "agents": [{"id": "echo", "provider": "echo"}],
        "bots": [{"id": "fromfile", "channel": "lark", "agent": "echo"}],
    }
    async with (
        console(tmp_path, **sections) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        admin = Visitor(url, http)
        await admin.sign_in()
        page = await admin.get("/console/bots/fromfile")
        assert page.says("can only be changed there")
        assert "Switch" not in page.text
        assert (
            await admin.post("/console/bots/fromfile", {**SETTINGS, "version": "0", "region": "lark"})
        ).status == 409
        assert (await admin.get("/console/agents/echo")).says("can only be changed there")


async def test_privacy_exports_and_erases_after_the_id_was_written(admin: Visitor) -> None:
    person = {"channel": "slack", "user": "U1", "bot": "gone"}
    page = await admin.post("/console/privacy", {**person, "do": "look"})
    assert page.says("Kept of U1")
    page = await admin.post("/console/privacy", {**person, "do": "export"})
    assert page.headers["Content-Type"].startswith("application/json")
    page = await admin.post("/console/privacy", {**person, "do": "erase", "confirm": "U2"})
    assert page.status == 422
    page = await admin.post("/console/privacy", {**person, "do": "erase", "confirm": "U1"})
    assert page.says("Erased: 0 messages")
    assert (await admin.post("/console/privacy", {"channel": "fax", "user": ""})).status == 422


async def test_a_turn_that_is_not_known_says_what_can_be_looked_for(admin: Visitor) -> None:
    await add_slack(admin)
    for what in ("1a2b3c4d", "(ref 1a2b3c4d)", HOSTILE.replace("&", "")):
        page = await admin.get(f"/console/turns?q={what}".replace("#", "").replace("%", "%25"))
        assert page.status == 404
        assert "<img src=x" not in page.text
        assert 'id="q-problem"' in page.text


async def test_lists_that_are_empty_say_what_will_be_there(admin: Visitor) -> None:
    assert (await admin.get("/console/")).says("Welcome to Turnkeeper")
    assert (await admin.get("/console/bots")).says("There is no bot yet")
    assert (await admin.get("/console/agents")).says("There is no agent yet")
    assert (await admin.get("/console/live")).says("It is quiet")
    assert (await admin.get("/console/playground")).says("There is no agent yet")
    assert (await admin.get("/console/dead-letters")).says("No dead letters")
    assert (await admin.get("/console/dead-letters?cursor=nonsense")).status == 422
    assert (await admin.get("/console/conversations/k1.nonsense")).status == 404


async def test_a_damaged_record_has_a_page_that_says_so_and_can_be_removed(tmp_path: Path) -> None:
    where = {"url": f"sqlite:///{tmp_path}/turnkeeper.db"}
    store = SqliteStore(tmp_path / "turnkeeper.db", SystemClock())
    await store.open()
    await store.records.put("bot", "broken", b"{", expected=0)
    await store.records.put("agent", "broken", b"{", expected=0)
    await store.close()
    async with (
        console(tmp_path, store=where) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        admin = Visitor(url, http)
        await admin.sign_in()
        for path in ("bots", "agents"):
            page = await admin.get(f"/console/{path}/broken")
            assert page.status == 200
            assert page.says("its record is damaged; remove it, and make it anew")
        page = await admin.get("/console/bots/broken/setup/secrets")
        assert page.status == 200
        page = await admin.post("/console/bots/broken/remove", {"confirm": "broken", "version": "1"})
        assert page.status == 303
        page = await admin.get("/console/bots/broken")
        assert page.status == 404
