"""Signing in at an identity provider: who gets in, and who does not."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from joserfc.jwk import RSAKey

from tests.console.provider import CLIENT, SECRET, Claims, Provider, provider
from tests.console.visitor import Page, Visitor, console
from tests.ports import free_port

ROLES = {"ann@example.com": "admin", "support": "operator", "staff": "viewer"}


class Office:
    """A console whose people sign in at ``idp``."""

    def __init__(self, visitor: Visitor, idp: Provider) -> None:
        self.visitor = visitor
        self.idp = idp

    async def leave(self, next: str = "") -> dict[str, str]:
        """What the provider is asked."""
        page = await self.visitor.get(f"/console/sign-in/oidc?next={next}")
        assert page.status == 303, page.text
        return dict(parse_qsl(urlsplit(page.headers["Location"]).query))

    async def come_back(self, **answer: str) -> Page:
        query = "&".join(f"{name}={value}" for name, value in answer.items())
        return await self.visitor.get(f"/console/sign-in/oidc/back?{query}", Sec_Fetch_Site="cross-site")

    async def sign_in(self, next: str = "") -> Page:
        asked = await self.leave(next)
        return await self.come_back(code=self.idp.authorize(asked), state=asked["state"])


def section(issuer: str, **changes: object) -> dict[str, object]:
    given = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, "roles": ROLES, **changes}
    return {"listen": "127.0.0.1:1", "oidc": given}


@pytest.fixture
async def office(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Office]:
    changes = getattr(request, "param", {})
    async with (
        provider() as idp,
        console(tmp_path, admin=section(idp.url, **changes)) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        yield Office(Visitor(url, http), idp)


async def test_somebody_with_a_role_gets_in_and_to_the_page_they_wanted(office: Office) -> None:
    page = await office.sign_in("/console/audit")
    assert page.headers["Location"] == "/console/audit"
    audit = await office.visitor.get("/console/audit")
    assert audit.says("oidc:ann@example.com")


@pytest.mark.parametrize("office", [{"claim": "groups"}], indirect=True)
async def test_the_strongest_of_several_roles_counts(office: Office) -> None:
    office.idp.claims = {"sub": "7", "preferred_username": "bob", "groups": ["staff", "support", "choir"]}
    await office.sign_in()
    page = await office.visitor.get("/console/")
    assert page.says("oidc:bob")
    assert page.says("Operator")
    assert (await office.visitor.get("/console/tokens")).status == 403


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sub": "9", "email": "eve@example.com", "email_verified": True}, "no role is mapped"),
        ({"sub": "9", "email": "ann@example.com", "email_verified": False}, "does not vouch"),
        ({"sub": "9", "email": "ann@example.com"}, "does not vouch"),
        ({"sub": "9"}, "does not vouch"),
        ({"sub": "9", "email": ["ann@example.com", 4], "email_verified": "true"}, "does not vouch"),
    ],
)
async def test_nobody_gets_in_without_a_role(office: Office, claims: Claims, why: str) -> None:
    office.idp.claims = claims
    page = await office.sign_in()
    assert page.status == 403
    assert why.lower() in page.text.lower()
    assert (await office.visitor.get("/console/")).status == 303


def set_claim(name: str, value: object) -> Callable[[Claims], None]:
    def twist(claims: Claims) -> None:
        claims[name] = value

    return twist


@pytest.mark.parametrize(
    "twist",
    [
        set_claim("nonce", "another"),
        set_claim("aud", "another"),
        set_claim("aud", [CLIENT, "another"]),
        set_claim("azp", "another"),
        set_claim("iss", "https://another.example.com"),
        set_claim("exp", int(time.time()) - 3600),
        set_claim("exp", "never"),
        lambda claims: claims.pop("nonce"),
        lambda claims: claims.pop("exp"),
        lambda claims: claims.pop("sub"),
    ],
    ids=["nonce", "aud", "auds", "azp", "iss", "exp", "exp-text", "no-nonce", "no-exp", "no-sub"],
)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    office: Office, twist: Callable[[Claims], None]
) -> None:
    office.idp.twist = twist
    assert (await office.sign_in()).status == 403


async def test_an_id_token_that_the_provider_did_not_sign_is_refused(office: Office) -> None:
    for sign in (
        office.idp.unsigned,
        office.idp.signed_with_the_clients_secret,
        lambda _: "a.b.c",
        lambda _: "",
    ):
        office.idp.sign = sign
        assert (await office.sign_in()).status == 403


async def test_new_keys_of_the_provider_are_fetched(office: Office) -> None:
    assert (await office.sign_in()).status == 303
    office.idp.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert (await office.sign_in()).status == 303


async def test_an_answer_counts_in_the_browser_that_asked_and_once(office: Office) -> None:
    asked = await office.leave()
    code = office.idp.authorize(asked)
    cookies = dict(office.visitor.cookies)
    office.visitor.cookies.clear()
    assert (await office.come_back(code=code, state=asked["state"])).status == 403
    office.visitor.cookies.update(cookies)
    assert (await office.come_back(code=code, state="guessed")).status == 403
    office.visitor.cookies.update(cookies)
    assert (await office.come_back(code=code, state=asked["state"])).status == 303
    office.visitor.cookies.update(cookies)
    assert (await office.come_back(code=code, state=asked["state"])).status == 403


async def test_what_the_provider_refuses_is_told_without_its_words(office: Office) -> None:
    asked = await office.leave()
    page = await office.come_back(error="access_denied%3Cscript%3E", state=asked["state"])
    assert page.status == 403
    assert "access_denied" not in page.text


async def test_a_provider_that_is_away_is_told(tmp_path: Path) -> None:
    async with (
        console(tmp_path, admin=section(f"http://127.0.0.1:{free_port()}")) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        page = await Visitor(url, http).get("/console/sign-in/oidc")
        assert page.status == 502
        assert page.says("The identity provider does not answer")


@pytest.fixture
async def outside_judge() -> AsyncIterator[str]:
    """The issuer of a provider that others wrote."""
    port = free_port()
    ann = json.dumps({"sub": "ann", "email": "ann@example.com", "email_verified": True})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "oidc_provider_mock"),
        *("--port", str(port), "--require-nonce", "true", "--user-claims", ann),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{issuer}/.well-known/openid-configuration"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield issuer
    finally:
        process.kill()
        await process.wait()


async def test_a_provider_that_others_wrote_lets_somebody_in(tmp_path: Path, outside_judge: str) -> None:
    async with (
        console(tmp_path, admin=section(outside_judge)) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        visitor = Visitor(url, http)
        away = await visitor.get("/console/sign-in/oidc")
        async with http.post(away.headers["Location"], data={"sub": "ann"}, allow_redirects=False) as answer:
            back = answer.headers["Location"]
        assert (await visitor.get(back.removeprefix(url), Sec_Fetch_Site="cross-site")).status == 303
        assert (await visitor.get("/console/")).says("oidc:ann@example.com")
