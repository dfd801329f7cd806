"""What the console carries with every answer, and whom it refuses."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.console.security import own_path
from gateway.settings import load
from gateway.wiring import build
from tests.console.visitor import TOKEN, Visitor, console

HOSTILE = '"><script>alert(1)</script>{{ 191 * 191 }}'


async def test_every_answer_forbids_what_the_console_does_not_need(stranger: Visitor) -> None:
    for path in ("/console/sign-in", "/console/", "/console/nowhere", "/console/static/console.css"):
        page = await stranger.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "same-origin"
    assert (await stranger.get("/console/sign-in")).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, False),
        ({"Origin": "SELF"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[bad"}, False),
        ({}, False),
    ],
)
async def test_only_the_consoles_own_pages_change_something(
    admin: Visitor, headers: dict[str, str], let_in: bool
) -> None:
    admin.sends = {name: admin.url if value == "SELF" else value for name, value in headers.items()}
    page = await admin.post("/console/tokens", {"name": "x", "role": "viewer", "expires_in": "1d"})
    assert page.status == (200 if let_in else 403)
    admin.sends = {"Sec-Fetch-Site": "same-origin"}
    assert ("tk_" in page.text) == let_in


async def test_reading_needs_no_proof_of_where_one_comes_from(admin: Visitor) -> None:
    admin.sends = {"Sec-Fetch-Site": "cross-site"}
    assert (await admin.get("/console/tokens")).status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/console/../..//evil.example\r\nSet-Cookie: a=b",
        "/console/\\..\\evil",
        "javascript:alert(1)",
        "/consolex",
        "",
    ],
)
async def test_signing_in_leads_to_no_other_site(stranger: Visitor, wanted: str) -> None:
    assert (await stranger.sign_in(next=wanted)).headers["Location"] == "/console/"


def test_signing_in_leads_back_to_the_page_that_was_wanted() -> None:
    assert own_path("/console/bots/help?done=saved") == "/console/bots/help?done=saved"


async def test_what_is_sent_is_shown_as_text(admin: Visitor) -> None:
    for page in (
        await admin.get(f"/console/nowhere?done={HOSTILE}"),
        await admin.get(f"/console/sign-in?next={HOSTILE}"),
        await admin.post(
            "/console/tokens", {"name": HOSTILE, "role": HOSTILE, "bots": HOSTILE, "expires_in": HOSTILE}
        ),
        await admin.get("/console/dead-letters/%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
        await admin.post("/console/privacy", {"channel": "slack", "user": HOSTILE, "bot": HOSTILE}),
    ):
        assert "<script>alert" not in page.text
        assert "36481" not in page.text
        assert page.text.count("<script") == 1


async def test_a_name_of_a_download_cannot_add_headers(admin: Visitor) -> None:
    page = await admin.post(
        "/console/privacy",
        {"channel": "slack", "user": 'U1"\r\nX-Evil: 1; filename="x', "bot": "b", "do": "export"},
    )
    assert page.headers["Content-Disposition"] == 'attachment; filename="slack-U1-X-Evil-1-filename-x.json"'
    assert "X-Evil" not in page.headers


async def test_static_files_are_the_listed_ones_alone(stranger: Visitor) -> None:
    found = await stranger.get("/console/static/console.css")
    assert found.headers["Content-Type"].startswith("text/css")
    again = await stranger.get("/console/static/console.css", If_None_Match=found.headers["ETag"])
    assert again.status == 304
    for name in ("..%2Fpages.py", "%2e%2e/pages.py", "nothing.css", "..%2f..%2f..%2fetc%2fpasswd"):
        assert (await stranger.get(f"/console/static/{name}")).status in (303, 404)


async def test_without_a_token_the_admins_address_has_metrics_and_no_console(tmp_path: Path) -> None:
    async with (
        console(tmp_path, admin={"listen": "127.0.0.1:1"}) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        visitor = Visitor(url, http)
        found = [(await visitor.get(page)).status for page in ("/metrics", "/console/", "/api/v1/bots", "/")]
        assert found == [200, 404, 404, 404]


async def test_over_plain_http_it_is_said_that_browsers_will_not_stay_signed_in(stranger: Visitor) -> None:
    stranger.sends = {}
    assert not (await stranger.get("/console/sign-in")).says("not opened over HTTPS")
    assert (await stranger.get("/console/sign-in", Host="bots.example.com")).says("not opened over HTTPS")
    proxied = await stranger.get("/console/sign-in", Host="bots.example.com", X_Forwarded_Proto="https")
    assert not proxied.says("not opened over HTTPS")


async def test_the_admins_address_leads_to_the_console(stranger: Visitor) -> None:
    assert (await stranger.get("/")).headers["Location"] == "/console/"
    assert (await stranger.get("/console")).headers["Location"] == "/console/"


async def test_the_console_shares_the_port_where_the_admin_has_none(tmp_path: Path) -> None:
    (tmp_path / "turnkeeper.yaml").write_text(f"store: {{url: 'memory:'}}\nadmin: {{token: {TOKEN}}}\n")
    async with build(load(tmp_path / "turnkeeper.yaml", {})) as gateway:
        assert gateway.admin is None
        runner = web.AppRunner(gateway.app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as http:
                visitor = Visitor(url, http)
                assert (await visitor.get("/console/sign-in")).status == 200
                assert (await visitor.get("/")).status == 404
        finally:
            await runner.cleanup()
