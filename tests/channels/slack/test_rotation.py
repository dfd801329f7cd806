"""Tokens that rotate, over two replicas of one store, against a Slack that takes a refresh token once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from channels.installing import Installed, InstallError, Trouble
from channels.port import ChannelPolicy
from channels.slack.install import renewal as renewing
from channels.slack.install.workspaces import Keeping, OAuthApp, Workspaces
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Record, Records
from conversation.stores.retention import Retention
from gateway.demo.slack import SlackStandin
from gateway.demo.slack_oauth import TOKEN_LIFE, Place
from gateway.keyring import Keyring
from gateway.sealing import KeyringSealer
from tests.conversation.stores.engines import ENGINES

BACK = "http://gateway.example/slack/helpdesk/oauth_redirect"
CLIENT = ("1.2", "made-up-client-secret")
DUE = TOKEN_LIFE - renewing.RENEW_BEFORE + 1


@dataclass
class Watch:
    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at


class Flaky:
    """Records that are away for a while."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.away_for_puts = 0

    async def get(self, kind: str, id: str) -> Record | None:
        return await self._records.get(kind, id)

    async def all(self, kind: str) -> tuple[Record, ...]:
        return await self._records.all(kind)

    async def put(self, kind: str, id: str, document: bytes, *, expected: int) -> Record:
        if self.away_for_puts and b'"renewing_until":0.0' in document:
            self.away_for_puts -= 1
            raise StoreUnavailableError("away")
        return await self._records.put(kind, id, document, expected=expected)

    async def delete(self, kind: str, id: str, *, expected: int) -> None:
        await self._records.delete(kind, id, expected=expected)

    async def revision(self, kind: str) -> int:
        return await self._records.revision(kind)


@dataclass
class Two:
    slack: SlackStandin
    watch: Watch
    records: Flaky
    http: aiohttp.ClientSession
    replicas: list[Workspaces] = field(default_factory=list)

    def replica(self) -> Workspaces:
        app = OAuthApp(
            "helpdesk", *CLIENT, BACK, f"{self.slack.url}/oauth/v2/authorize", self.slack.api_base_url
        )
        keeping = Keeping(self.records, KeyringSealer(Keyring.parse("k" * 20)), self.watch)
        made = Workspaces(app, keeping, http=self.http, policy=ChannelPolicy(), permits=None)
        self.replicas.append(made)
        return made

    async def install(self) -> None:
        self.slack.oauth.choice = Place("T1")
        one = self.replicas[0].installer
        async with self.http.get(one.begin("browser"), allow_redirects=False) as sent:
            back = URL(sent.headers["Location"])
        await one.finish(back.query, "browser")


@pytest.fixture(params=ENGINES)
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Two]:
    watch = Watch()
    store = ENGINES[request.param](tmp_path, watch, Retention())
    await store.open()
    async with (
        SlackStandin(
            signing_secret="s",
            bot_token="none",
            client=CLIENT,
            clock=watch.now,
            redeliver=False,
            latency=0.01,
        ) as slack,
        aiohttp.ClientSession() as http,
    ):
        slack.oauth.rotating = True
        slack.oauth.redirect_url = BACK
        made = Two(slack, watch, Flaky(store.records), http)
        made.replica()
        made.replica()
        await made.install()
        yield made
        for one in made.replicas:
            await one.close()
        await store.close()
        assert slack.complaints == []


async def call(workspaces: Workspaces) -> str:
    """A call with the token of T1, and the token."""
    api = workspaces.api("T1")
    await api.ask_identity()
    return await api.token()


async def renewed(two: Two) -> None:
    async with asyncio.timeout(5):
        while not two.slack.oauth.renewals or any(one._tokens._renewing for one in two.replicas):
            await asyncio.sleep(0.01)


async def test_a_state_is_good_once_over_all_replicas(two: Two) -> None:
    first, second = (one.installer for one in two.replicas)
    async with two.http.get(first.begin("browser"), allow_redirects=False) as sent:
        back = URL(sent.headers["Location"])
    came = await asyncio.gather(
        *(one.finish(back.query, "browser") for one in (first, second)), return_exceptions=True
    )
    (refused,) = [one for one in came if isinstance(one, InstallError)]
    assert refused.trouble is Trouble.EXPIRED
    assert len([one for one in came if isinstance(one, Installed)]) == 1


async def test_a_token_is_renewed_once_for_all_that_need_it(two: Two) -> None:
    before = await call(two.replicas[0])
    two.watch.at += DUE
    await asyncio.gather(*(call(one) for one in two.replicas * 25))
    await renewed(two)
    assert two.slack.oauth.renewals == 1
    assert two.slack.refusals == []
    two.watch.at += 60
    tokens = {await call(one) for one in two.replicas}
    assert len(tokens) == 1
    assert before not in tokens


async def test_it_is_renewed_while_the_old_one_is_good_and_nobody_waits(two: Two) -> None:
    before = await call(two.replicas[0])
    two.watch.at += DUE
    async with two.slack.hold("oauth.v2.access") as hold:
        assert await call(two.replicas[0]) == before
        await hold.reached()
        assert await call(two.replicas[1]) == before
    await renewed(two)


async def test_of_a_workspace_that_was_silent_for_long_the_first_call_waits(two: Two) -> None:
    two.watch.at += 10 * TOKEN_LIFE
    tokens = await asyncio.gather(*(call(one) for one in two.replicas * 10))
    assert len(set(tokens)) == 1
    assert two.slack.oauth.renewals == 1


async def test_day_after_day_it_stays_renewable(two: Two) -> None:
    for _ in range(6):
        two.watch.at += TOKEN_LIFE + 1
        await asyncio.gather(*(call(one) for one in two.replicas))
    assert two.slack.oauth.renewals == 6
    assert two.slack.refusals == []


async def test_new_tokens_are_kept_until_the_store_is_back(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "SAVE_AGAIN", 0.01)
    two.watch.at += DUE
    two.records.away_for_puts = 20
    await call(two.replicas[0])
    await renewed(two)
    two.watch.at += TOKEN_LIFE - DUE + 60
    await asyncio.gather(*(call(one) for one in two.replicas))
    assert two.slack.oauth.renewals == 1


async def test_a_process_that_dies_with_the_new_tokens_costs_a_reinstallation_not_an_answer(two: Two) -> None:
    """Nothing can be done about that moment: Slack takes a refresh token once. It is told hours before it hurts."""
    before = await call(two.replicas[0])
    two.watch.at += DUE
    two.slack.fail_next("oauth.v2.access", "drop_after_effect")  # as a death: the answer is lost
    assert await call(two.replicas[0]) == before
    await renewed(two)
    assert await call(two.replicas[1]) == before, "the old token is good until its end"
    two.replicas[1]._tokens._not_before.clear()
    await asyncio.sleep(0.1)
    await call(two.replicas[1])
    await asyncio.sleep(0.1)
    (shown,) = await two.replicas[0].installer.installations()
    assert "install the app there again" in str(shown.problem)
    (finding,) = await two.replicas[0].check()
    assert (finding.subject, finding.ok) == ("workspace Workspace T1", False)
    two.watch.at += TOKEN_LIFE
    with pytest.raises(DeliveryRefusedError, match="install the app there again"):
        await call(two.replicas[0])
    await two.install()
    await call(two.replicas[0])
    two.replicas[1]._tokens.forget("T1")
    await call(two.replicas[1])


async def test_the_claim_of_a_process_that_died_ends_by_itself(two: Two) -> None:
    two.watch.at += DUE
    dead = two.replica()
    async with two.slack.hold("oauth.v2.access") as hold:
        await call(dead)
        await hold.reached()
        two.slack.fail_next("oauth.v2.access", "drop_before_effect")
        for task in dead._tokens._renewing.values():
            task.cancel()
        await asyncio.sleep(0.01)
        await call(two.replicas[0])
        assert two.slack.calls["oauth.v2.access"] == 2, "somebody is at it, as far as anybody knows"
    two.watch.at += renewing.CLAIM + 60
    two.replicas[0]._tokens._not_before.clear()
    await call(two.replicas[0])
    await renewed(two)
    assert two.slack.oauth.renewals == 1


async def test_a_token_that_another_replica_sealed_with_a_newer_key_delays_an_answer_and_loses_none(
    two: Two,
) -> None:
    """As while ``secrets_key`` is being rotated: this one will be restarted with the new key."""
    keeping = Keeping(two.records, KeyringSealer(Keyring.parse("n" * 20 + "," + "k" * 20)), two.watch)
    app = OAuthApp("helpdesk", *CLIENT, BACK, "", two.slack.api_base_url)
    newer = Workspaces(app, keeping, http=two.http, policy=ChannelPolicy(), permits=None)
    two.replicas.append(newer)
    two.watch.at += DUE
    await call(newer)
    await renewed(two)
    with pytest.raises(DeliveryDelayedError, match="which secrets_key does not list"):
        await call(two.replicas[0])
    await call(newer)


async def test_slack_that_is_away_is_asked_again_later(two: Two) -> None:
    two.watch.at += 2 * TOKEN_LIFE
    two.slack.fail_next("oauth.v2.access", status=503)
    with pytest.raises(DeliveryDelayedError):
        await call(two.replicas[0])
    two.replicas[0]._tokens._not_before.clear()
    await call(two.replicas[0])
    assert two.slack.oauth.renewals == 1
