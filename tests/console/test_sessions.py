"""Sessions: begun with a token, ended by whoever may."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from conversation.stores.memory import MemoryStore
from gateway.admin.access import Principal
from gateway.admin.attempts import BURST
from gateway.admin.audit import Audit
from gateway.admin.tokens import NewToken, Tokens
from gateway.console import sessions
from gateway.console.sessions import COOKIE, LASTS, Sessions
from tests.console.visitor import TOKEN, Visitor

ADMIN = Principal("bootstrap", "admin")


class SetClock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def now(self) -> float:
        return self.time


class House:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.store = MemoryStore(self.clock)
        self.tokens = self.made(TOKEN)
        self.sessions = Sessions(self.store.records, self.tokens, self.clock)

    def made(self, bootstrap: str) -> Tokens:
        return Tokens(self.store.records, Audit(self.store.audit), self.clock, bootstrap=bootstrap)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    await made.store.open()
    yield made
    await made.store.close()


async def test_a_session_is_its_tokens_and_ends_with_it(house: House) -> None:
    token = await house.tokens.create(ADMIN, NewToken(name="ops", role="operator", bots=("helpdesk",)))
    begun = await house.sessions.begin_with_token(token.token)
    assert begun is not None
    cookie, who = begun
    assert who == await house.sessions.who(cookie)
    assert who == Principal("token:ops", "operator", frozenset({"helpdesk"}))
    await house.tokens.revoke(ADMIN, token.id)
    assert await house.sessions.who(cookie) is None


async def test_a_session_ends_with_an_expired_token(house: House) -> None:
    token = await house.tokens.create(ADMIN, NewToken(name="short", role="viewer", expires_in=60.0))
    begun = await house.sessions.begin_with_token(token.token)
    assert begun is not None
    house.clock.time += 61
    assert await house.sessions.who(begun[0]) is None


async def test_a_session_of_the_configurations_token_ends_when_that_is_changed(house: House) -> None:
    begun = await house.sessions.begin_with_token(TOKEN)
    assert begun is not None
    restarted = Sessions(house.store.records, house.made("another"), house.clock)
    assert await house.sessions.who(begun[0]) == ADMIN
    assert await restarted.who(begun[0]) is None


async def test_a_session_lasts_twelve_hours(house: House) -> None:
    begun = await house.sessions.begin_with_token(TOKEN)
    assert begun is not None
    house.clock.time += LASTS - 1
    assert await house.sessions.who(begun[0]) == ADMIN
    house.clock.time += 1
    assert await house.sessions.who(begun[0]) is None


async def test_the_store_holds_neither_cookie_nor_token(house: House) -> None:
    begun = await house.sessions.begin_with_token(TOKEN)
    assert begun is not None
    (record,) = await house.store.records.all("session")
    kept = record.id.encode() + record.document
    assert begun[0].encode() not in kept
    assert TOKEN.encode() not in kept


async def test_what_the_store_holds_opens_nothing(house: House) -> None:
    assert await house.sessions.begin_with_token(TOKEN) is not None
    (record,) = await house.store.records.all("session")
    assert await house.sessions.who(record.id) is None
    assert await house.sessions.begin_with_token(house.tokens.handle(TOKEN)) is None


async def test_a_wrong_token_begins_nothing(house: House) -> None:
    for wrong in ("", "tk_", "tk_x_y", "bootstrap:", "\x00", "an-admin-token"):
        assert await house.sessions.begin_with_token(wrong) is None
    assert await house.store.records.all("session") == ()


async def test_sessions_are_bounded_and_the_oldest_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 5)
    first = await house.sessions.begin_with_token(TOKEN)
    assert first is not None
    for number in range(1, 3):
        await house.store.records.put("session", f"damaged{number}", b"?", expected=0)
    for _ in range(5):
        house.clock.time += 0.001
        await house.sessions.begin_with_token(TOKEN)
    assert len(await house.store.records.all("session")) == 5
    assert await house.sessions.who(first[0]) is None


async def test_the_cookie_is_for_this_host_over_https_and_no_script(stranger: Visitor) -> None:
    page = await stranger.sign_in()
    morsel = page.cookies[COOKIE]
    assert (morsel["path"], morsel["secure"], morsel["httponly"]) == ("/", True, True)
    assert (morsel["samesite"], morsel["domain"]) == ("Lax", "")


async def test_signing_in_and_out(stranger: Visitor) -> None:
    wanted = await stranger.get("/console/tokens")
    assert wanted.headers["Location"] == "/console/sign-in?next=/console/tokens"
    assert (await stranger.sign_in(next="/console/tokens")).headers["Location"] == "/console/tokens"
    assert (await stranger.get("/console/tokens")).status == 200
    kept = dict(stranger.cookies)
    await stranger.post("/console/sign-out", {})
    assert COOKIE not in stranger.cookies
    stranger.cookies = kept
    assert (await stranger.get("/console/tokens")).headers["Location"].endswith("ended=1")


async def test_a_session_is_ended_by_an_admin_and_by_revoking(admin: Visitor) -> None:
    made = await admin.post("/console/tokens", {"name": "ops", "role": "operator", "expires_in": "1d"})
    found = re.search(r"tk_\w[\w-]+", made.text)
    assert found is not None
    other = Visitor(admin.url, admin.http)
    await other.sign_in(found[0])
    assert (await other.get("/console/dead-letters")).status == 200
    assert (await other.get("/console/tokens")).status == 403
    listed = await admin.get("/console/tokens")
    revoke = re.search(r"/console/tokens/\w+/revoke", listed.text)
    assert revoke is not None
    assert found[0] not in listed.text
    await admin.post(revoke[0], {})
    assert (await other.get("/console/dead-letters")).status == 303


async def test_many_wrong_tokens_are_slowed_down_and_a_right_one_of_before_is_not(stranger: Visitor) -> None:
    assert (await stranger.sign_in()).status == 303
    for _ in range(BURST):
        assert (await stranger.sign_in("wrong")).status == 401
    slowed = await stranger.sign_in("wrong")
    assert slowed.status == 429
    assert int(slowed.headers["Retry-After"]) > 0
    assert (await stranger.sign_in()).status == 303


async def test_signing_in_stands_in_the_audit(admin: Visitor) -> None:
    assert (await admin.get("/console/audit")).says("session.begun")
