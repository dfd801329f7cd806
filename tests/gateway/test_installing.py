"""A Slack app that several workspaces install, through the real gateway, by a browser's requests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from rich.console import Console

from channels.sealing import INSTALLATIONS
from channels.slack.install.installations import Installations
from gateway.admin.access import Principal
from gateway.cli import _parser
from gateway.commands import administer
from gateway.demo.people import Said
from gateway.demo.slack import SlackStandin
from gateway.demo.slack_oauth import Place
from gateway.documents import JsonObject
from gateway.keyring import Keyring
from gateway.sealing import KeyringSealer, resealed
from gateway.settings import load
from tests.gateway.running import KEY, TOKEN, Running, running

SECRET = "made-up-signing-secret"
CLIENT = ("123.456", "made-up-client-secret")


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandin]:
    async with SlackStandin(
        signing_secret=SECRET, bot_token="none", client=CLIENT, redeliver=False, latency=0
    ) as standin:
        for team in ("T1", "T2", "T7"):
            standin.add_channel(f"D{team}", "im", team=team)
        yield standin
        assert standin.complaints == []


def bot(slack: SlackStandin) -> JsonObject:
    return {
        "id": "helpdesk",
        "channel": "slack",
        "external_users": "allow",
        "api_base_url": slack.api_base_url,
        "credentials": {"signing_secret": SECRET, "client_id": CLIENT[0], "client_secret": CLIENT[1]},
    }


@dataclass
class Town:
    slack: SlackStandin
    here: Running
    browser: aiohttp.ClientSession

    @property
    def webhook(self) -> str:
        return f"{self.here.url}/webhooks/slack/helpdesk"

    async def begin(self) -> str:
        """To where Slack sends the browser back."""
        async with self.browser.get(f"{self.here.url}/slack/helpdesk/install", allow_redirects=False) as sent:
            assert sent.status == 302, await sent.text()
            location = sent.headers["Location"]
        async with self.browser.get(location, allow_redirects=False) as back:
            assert back.status == 302, await back.text()
            return back.headers["Location"]

    async def come_back(
        self, url: str, language: str = "en", browser: aiohttp.ClientSession | None = None
    ) -> tuple[int, str]:
        async with (browser or self.browser).get(url, headers={"Accept-Language": language}) as page:
            return page.status, await page.text()

    async def install(self, place: Place) -> None:
        self.slack.oauth.choice = place
        status, page = await self.come_back(await self.begin())
        assert status == 200, page

    async def ask(self, team: str, user_team: str | None = None) -> list[str]:
        """Say something in this workspace: the answers."""
        said = await self.slack.say(
            self.webhook, channel=f"D{team}", user=f"U{team}", text="hello", user_team=user_team
        )
        return await self.answers(said)

    async def answers(self, said: Said) -> list[str]:
        assert said.accepted, said.admissions
        messages = self.slack.rooms[said.chat].messages
        async with asyncio.timeout(10):
            while self.here.gateway.directory.running:
                await asyncio.sleep(0.01)
        return [shown.text for shown in messages.values() if shown.author == "bot"]

    async def installations(self) -> list[dict[str, object]]:
        async with self.browser.get(
            f"{self.here.url}/api/v1/bots/helpdesk/installations",
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as answer:
            assert answer.status == 200, await answer.text()
            found: list[dict[str, object]] = (await answer.json())["items"]
            return found


@pytest.fixture
async def town(tmp_path: Path, slack: SlackStandin) -> AsyncIterator[Town]:
    async with (
        running(tmp_path, bot(slack)) as here,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        slack.oauth.redirect_url = f"{here.url}/slack/helpdesk/oauth_redirect"
        yield Town(slack, here, browser)


async def test_each_workspace_is_answered_with_its_own_token(town: Town) -> None:
    await town.install(Place("T1"))
    await town.install(Place("T2"))
    assert len(await town.ask("T1")) == 1
    assert len(await town.ask("T2")) == 1
    assert [(one["place"], one["name"]) for one in await town.installations()] == [
        ("T1", "Workspace T1"),
        ("T2", "Workspace T2"),
    ]


async def test_a_guest_of_another_company_is_answered_with_the_token_of_the_workspace(town: Town) -> None:
    await town.install(Place("T1"))
    assert len(await town.ask("T1", user_team="T9")) == 1


async def test_an_organisation_s_installation_serves_its_workspaces(town: Town) -> None:
    await town.install(Place("", "E1", org=True, teams=("T1", "T7")))
    await town.install(Place("T2"))
    assert len(await town.ask("T7")) == 1
    assert len(await town.ask("T2")) == 1
    assert [(one["place"], one["organisation"]) for one in await town.installations()] == [
        ("E1", True),
        ("T2", False),
    ]


async def test_a_workspace_s_own_installation_goes_before_the_organisation_s(town: Town) -> None:
    await town.install(Place("", "E1", org=True, teams=("T1", "T7")))
    await town.install(Place("T7", "E1"))
    del town.slack.oauth.places["E1"]
    assert len(await town.ask("T7")) == 1


async def test_tokens_are_sealed_in_the_store_and_told_nowhere(
    town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    await town.install(Place("T1"))
    (record,) = await town.here.store.records.all(INSTALLATIONS)
    (token,) = town.slack.oauth.places["T1"].tokens
    assert json.loads(record.document)["bot_token"].startswith("sealed:")
    assert token.encode() not in record.document
    assert token not in str(await town.installations())
    assert token not in capfd.readouterr().out


async def test_a_state_is_good_once(town: Town) -> None:
    back = await town.begin()
    assert (await town.come_back(back))[0] == 200
    status, page = await town.come_back(back)
    assert status == 400
    assert "Not installed" in page


async def test_a_state_is_good_only_in_the_browser_that_began(town: Town) -> None:
    """Else somebody could have a victim's browser install the attacker's choice."""
    back = await town.begin()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        assert (await town.come_back(back, browser=other))[0] == 400
        async with other.get(f"{town.here.url}/slack/helpdesk/install", allow_redirects=False) as begun:
            assert begun.status == 302
        assert (await town.come_back(back, browser=other))[0] == 400, "it is known, but as another"
    assert await town.installations() == []


async def test_a_made_up_or_changed_state_is_refused(town: Town) -> None:
    back = await town.begin()
    query = parse_qs(urlsplit(back).query)
    base = back.partition("?")[0]
    state = query["state"][0]
    later = str(int(state.partition(".")[0]) + 9999) + state[state.index(".") :]
    for wrong in ("", "x", "1.2.3", later, "9" * 5000, "é.é.é"):
        status, _ = await town.come_back(f"{base}?code={query['code'][0]}&state={wrong}")
        assert status == 400, wrong
    assert await town.installations() == []


async def test_a_state_ends_after_ten_minutes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.slack.install.state.GOOD_FOR", -1.0)
    assert (await town.come_back(await town.begin()))[0] == 400


async def test_who_says_no_is_told_so_in_their_language(town: Town) -> None:
    town.slack.oauth.denies = True
    status, page = await town.come_back(await town.begin(), "zh-CN,zh;q=0.9,en;q=0.8")
    assert status == 403
    assert "未安装" in page
    assert 'lang="zh"' in page


async def test_a_name_is_only_text_on_the_page(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("<script>alert(1)</script>")
    town.slack.oauth.choice = place
    _, page = await town.come_back(await town.begin())
    assert "<script>" not in page


async def test_the_answers_hold_no_code_for_other_sites(town: Town) -> None:
    async with town.browser.get(await town.begin()) as page:
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("event", ["app_uninstalled", "tokens_revoked"])
async def test_an_uninstalled_app_is_forgotten(town: Town, event: str) -> None:
    await town.install(Place("T1"))
    await town.install(Place("T2"))
    await asyncio.sleep(0)
    delivery = await town.slack.uninstall(town.webhook, "T1", event_type=event)
    assert delivery.admission == f"ignored; reason={event}"
    assert [one["place"] for one in await town.installations()] == ["T2"]
    said = await town.slack.say(town.webhook, channel="DT1", user="U1", text="hello")
    assert await town.answers(said) == []


async def test_an_organisation_that_removes_the_app_is_forgotten_and_its_workspaces_own_installations_are_not(
    town: Town,
) -> None:
    await town.install(Place("", "E1", org=True, teams=("T1", "T7")))
    await town.install(Place("T7", "E1"))
    await town.slack.uninstall(town.webhook, "E1")
    assert [one["place"] for one in await town.installations()] == ["T7"]


async def test_an_event_of_before_does_not_end_a_new_installation(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.install(Place("T1"))
    monkeypatch.setattr("channels.slack.install.workspaces.ONE_SECOND", -60.0)  # the event is of a minute ago
    await town.slack.uninstall(town.webhook, "T1")
    assert len(await town.installations()) == 1


async def test_an_admin_ends_an_installation(town: Town) -> None:
    await town.install(Place("T1"))
    url = f"{town.here.url}/api/v1/bots/helpdesk/installations/T1"
    for expected in (204, 404):
        async with town.browser.delete(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == expected
    assert await town.installations() == []


async def test_without_a_key_nothing_is_installed_and_the_log_names_the_remedy(
    tmp_path: Path, slack: SlackStandin, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, bot(slack), secrets_key=None) as here, aiohttp.ClientSession() as browser:
        async with browser.get(f"{here.url}/slack/helpdesk/install") as answer:
            assert answer.status == 503
        (finding,) = await here.gateway.hosting.routes["slack", "helpdesk"].channel.check()
    assert not finding.ok
    assert "secrets_key is not set" in finding.detail
    assert "secrets_key is not set" in capfd.readouterr().out


async def test_a_bot_of_one_workspace_has_nothing_to_install(tmp_path: Path, slack: SlackStandin) -> None:
    single = bot(slack) | {"credentials": {"signing_secret": SECRET, "bot_token": "xoxb-1"}}
    async with running(tmp_path, single) as here, aiohttp.ClientSession() as browser:
        for path in ("/slack/helpdesk/install", "/slack/nobody/install", "/slack/helpdesk/oauth_redirect"):
            async with browser.get(here.url + path) as answer:
                assert answer.status == 404


async def test_rotating_the_secrets_key_seals_tokens_anew(town: Town) -> None:
    await town.install(Place("T1"))
    (record,) = await town.here.store.records.all(INSTALLATIONS)
    both = Keyring.parse(f"another-key-of-the-tests,{KEY}")
    document, done = resealed(record, both)
    assert (done.resealed, done.current, done.unreadable) == (1, 0, ())
    sealed = json.loads(document)["bot_token"]
    new = KeyringSealer(Keyring.parse("another-key-of-the-tests"))
    (token,) = town.slack.oauth.places["T1"].tokens
    assert new.open(sealed, f"{INSTALLATIONS}/{record.id}#bot_token") == token


async def test_an_installation_that_lacks_a_scope_is_told_with_its_remedy(town: Town) -> None:
    await town.install(Place("T1"))
    channel = town.here.gateway.hosting.routes["slack", "helpdesk"].channel
    assert await channel.missing_scopes() == ()
    town.slack.oauth.scope = "app_mentions:read,im:history"
    await town.install(Place("T2"))
    missing = await channel.missing_scopes()
    assert missing is not None
    assert "chat:write" in missing
    whole, lacking = await town.installations()
    assert whole["problem"] is None
    assert "chat:write" in str(lacking["problem"])
    assert "install the app there again" in str(lacking["problem"])


async def test_check_asks_every_workspace(town: Town) -> None:
    await town.install(Place("T1"))
    await town.install(Place("T2"))
    town.slack.oauth.places["T2"].tokens.clear()
    channel = town.here.gateway.hosting.routes["slack", "helpdesk"].channel
    findings = {finding.subject: finding.ok for finding in await channel.check()}
    assert findings == {"workspace Workspace T1": True, "workspace Workspace T2": False}


async def test_another_app_under_the_same_id_inherits_no_installation(
    town: Town, tmp_path: Path, slack: SlackStandin
) -> None:
    await town.install(Place("T1"))
    (record,) = await town.here.store.records.all(INSTALLATIONS)
    other = Installations(
        "helpdesk", "another.app", town.here.store.records, KeyringSealer(Keyring.parse(KEY))
    )
    assert await other.get("T1") is None
    assert [one async for one in other.all()] == []
    assert record.id == "helpdesk/T1"


async def test_installations_are_listed_and_ended_at_a_terminal(town: Town, tmp_path: Path) -> None:
    await town.install(Place("T1"))
    settings = load(tmp_path / "turnkeeper.yaml", {})
    printed = io.StringIO()
    for words in (["bots", "installations", "helpdesk"], ["bots", "uninstall", "helpdesk", "T1"]):
        options = _parser().parse_args([*words, "--url", town.here.url])
        assert await administer.run(settings, options, Console(file=printed, width=200))
    assert "Workspace T1" in printed.getvalue()
    assert "used no more in T1" in printed.getvalue()
    assert await town.installations() == []


async def test_with_a_bot_its_installations_are_forgotten(tmp_path: Path, slack: SlackStandin) -> None:
    async with (
        running(tmp_path) as here,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        assert here.gateway.administration is not None
        bots, ada = here.gateway.administration.bots, Principal("ada", "admin")
        made = await bots.create(ada, {"agent": "default", **bot(slack)})
        slack.oauth.redirect_url = f"{here.url}/slack/helpdesk/oauth_redirect"
        await Town(slack, here, browser).install(Place("T1"))
        assert await here.store.records.all(INSTALLATIONS) != ()
        await bots.remove(ada, "helpdesk", made.version)
        assert await here.store.records.all(INSTALLATIONS) == ()
