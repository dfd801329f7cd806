"""What is the same for every endpoint: bodies, queries, conditions, pages, and what a caller is told about them."""

from __future__ import annotations

import pytest

from conversation.stores.port import StoreUnavailableError
from gateway.body import LARGEST_BODY
from tests.gateway.api.house import House
from tests.gateway.letters import TEXT

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_a_body_that_is_not_said_to_be_json_is_not_read(house: House, kind: str) -> None:
    said = await house.ask(
        "POST", "/tokens", raw=b'{"name":"ci","role":"viewer"}', headers={"Content-Type": kind}
    )
    assert said.status == 415
    assert "send Content-Type: application/json" in said.detail
    assert (await house.ask("GET", "/tokens")).items == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1,", b"\xff\xfe", b'{"name": "\\ud800"}', b"NaN", b"[" * 100_000],
    ids=["empty", "cut off", "a list cut off", "not UTF-8", "half a character", "not a number", "deep"],
)
async def test_a_body_that_is_no_json_is_a_bad_request(house: House, body: bytes) -> None:
    said = await house.ask("POST", "/tokens", raw=body, headers=JSON)
    assert said.status in (400, 422), "a lone NaN is read, and is no object"
    assert (await house.ask("GET", "/tokens")).items == []


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "true"])
async def test_json_that_is_no_object_is_said_to_be_none(house: House, body: str) -> None:
    said = await house.ask("POST", "/tokens", raw=body.encode(), headers=JSON)
    assert said.status == 422
    assert "must be an object" in said.detail


async def test_a_body_that_is_too_large_is_not_taken(house: House) -> None:
    fits = b'{"name": "ci", "role": "viewer"}'.ljust(LARGEST_BODY)
    assert (await house.ask("POST", "/tokens", raw=fits, headers=JSON)).status == 201
    assert (await house.ask("POST", "/tokens", raw=fits + b" ", headers=JSON)).status == 413


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=201", "limit", "less than or equal to 200"),
        ("limit=many", "limit", "must be a valid integer"),
        ("limit=1&limit=2", "limit", "is given twice"),
        ("limits=1", "limits", "did you mean limit?"),
        ("cursor=", "cursor", "leave it out to begin"),
        ("cursor=%00", "cursor", "leave it out to begin"),
        ("cursor=WzFd", "cursor", "leave it out to begin"),
        ("cursor=WyJkZWFkLWxldHRlcnMiLDEsMl0", "cursor", "leave it out to begin"),
    ],
)
async def test_a_query_is_checked(house: House, query: str, field: str, said: str) -> None:
    answer = await house.ask("GET", f"/audit?{query}")
    assert answer.status == 422
    assert said in answer.errors[field]


async def test_a_long_list_comes_in_pages_without_a_gap_or_a_double(house: House) -> None:
    for number in range(7):
        await house.administration.audit.record("anna", "bot.changed", f"bot/{number}")
    seen: list[object] = []
    path = "/audit?limit=3"
    while True:
        page = (await house.ask("GET", path)).object
        assert isinstance(page["items"], list)
        assert 1 <= len(page["items"]) <= 3
        seen += [one["target"] for one in page["items"] if isinstance(one, dict)]
        if page["next"] is None:
            break
        await house.administration.audit.record("anna", "bot.changed", "bot/meanwhile")
        path = f"/audit?limit=3&cursor={page['next']}"
    assert seen == [f"bot/{number}" for number in reversed(range(7))]


async def test_a_cursor_beyond_all_numbers_is_answered(house: House) -> None:
    """SQLite's are of 64 bits; whoever writes a cursor by hand gets an answer all the same."""
    from gateway.admin.paging import write_cursor  # noqa: PLC0415 - how a list writes it

    said = await house.ask("GET", f"/audit?cursor={write_cursor('audit', '9' * 300)}")
    assert said.status == 200


async def test_a_path_or_a_method_that_is_not_there(house: House) -> None:
    assert (await house.ask("GET", "/nothing")).detail == "the API has no such path"
    said = await house.ask("PUT", "/tokens")
    assert (said.status, said.headers["Allow"], said.detail) == (
        405,
        "GET, HEAD, POST",
        "use GET, HEAD, POST",
    )


async def test_a_head_has_the_headers_alone(house: House) -> None:
    said = await house.ask("HEAD", "/whoami")
    assert (said.status, said.document) == (200, None)


async def test_no_answer_is_kept_by_anybody_or_taken_for_something_else(house: House) -> None:
    for method, path in (("GET", "/whoami"), ("GET", "/nothing"), ("GET", "/openapi.json")):
        headers = (await house.ask(method, path)).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_while_the_store_is_away_everybody_is_told_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.token("viewer")

    async def away(*_: object) -> None:
        raise StoreUnavailableError(f"away: {TEXT}")

    monkeypatch.setattr(house.store.records, "get", away)
    said = await house.ask("GET", "/whoami", token=token)
    assert (said.status, said.headers["Retry-After"]) == (503, "5")
    assert TEXT not in said.detail
    assert (await house.ask("GET", "/whoami")).status == 200, "the token of the configuration needs no store"


async def test_a_bug_is_told_without_what_it_quotes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError(TEXT)

    monkeypatch.setattr(house.store.audit, "before", broken)
    said = await house.ask("GET", "/audit")
    assert said.status == 500
    assert TEXT not in said.detail
