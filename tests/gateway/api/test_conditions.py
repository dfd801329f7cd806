"""ETag and If-Match; and names, prompts and paths that try to be something else."""

from __future__ import annotations

import pytest

from tests.gateway.api.house import House

STORED = {"id": "stored", "provider": "echo"}
HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}#{7*7}",
    "'; DROP TABLE record; --",
    "a\r\nSet-Cookie: x=1",
    "\u202e\x00\x1b[2J",
    "../../etc/passwd",
]


async def test_a_record_is_changed_only_as_it_was_seen(house: House) -> None:
    made = await house.ask("POST", "/agents", STORED)
    assert (made.status, made.headers["ETag"], made.headers["Location"]) == (
        201,
        '"1"',
        "/api/v1/agents/stored",
    )
    seen = await house.ask("GET", "/agents/stored")
    assert (seen.headers["ETag"], seen.document) == ('"1"', made.document)
    change = {"system_prompt": "be brief"}
    changed = await house.ask("PATCH", "/agents/stored", change, headers={"If-Match": '"1"'})
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    stale = await house.ask("PATCH", "/agents/stored", change, headers={"If-Match": '"1"'})
    assert stale.status == 412
    assert (await house.ask("DELETE", "/agents/stored", headers={"If-Match": '"1"'})).status == 412
    assert (await house.ask("DELETE", "/agents/stored", headers={"If-Match": "*"})).status == 204
    assert (await house.ask("GET", "/agents/stored")).status == 404


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 428),
        ("", 428),
        ('W/"1"', 412),
        ('"one"', 412),
        ("1", 400),
        ('"1", "2"', 400),
        ('"' + "9" * 30 + '"', 412),
    ],
)
async def test_a_change_says_what_it_has_seen(house: House, given: str | None, status: int) -> None:
    await house.ask("POST", "/agents", STORED)
    headers = {} if given is None else {"If-Match": given}
    for method, body in (("PATCH", {"system_prompt": "x"}), ("DELETE", None)):
        said = await house.ask(method, "/agents/stored", body, headers=headers)
        assert said.status == status
        assert "If-Match" in said.detail
    assert (await house.ask("GET", "/agents/stored")).headers["ETag"] == '"1"'


async def test_what_stands_in_the_file_is_not_changed_here(house: House) -> None:
    for path in ("/bots/helpdesk", "/agents/default"):
        assert (await house.ask("GET", path)).headers["ETag"] == '"0"'
        assert (await house.ask("PATCH", path, {}, headers={"If-Match": '"0"'})).status == 409
        assert (await house.ask("DELETE", path, headers={"If-Match": "*"})).status == 409


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_text_is_data_and_nothing_else(house: House, text: str) -> None:
    made = await house.ask("POST", "/agents", {**STORED, "system_prompt": text})
    assert made.object["system_prompt"] == text
    assert "Set-Cookie" not in made.headers
    assert made.headers["Content-Type"] == "application/json"
    assert (await house.ask("POST", "/agents", {**STORED, "id": text})).status == 422


@pytest.mark.parametrize(
    "path", ["%3Cscript%3E", "..%2f..%2ftokens", "%00", "%ff%fe", "%E2%80%AE", "a%0d%0aX: y", "x" * 3000]
)
async def test_a_hostile_path_names_nothing(house: House, path: str) -> None:
    for subject in ("bots", "agents", "conversations", "dead-letters", "tokens"):
        said = await house.ask("GET", f"/{subject}/{path}")
        assert said.status in (400, 404)
        assert "X" not in said.headers
