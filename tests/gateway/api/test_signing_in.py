"""Tokens: made, told once, refused when wrong, expired or revoked; and addresses that try many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conversation.stores.memory import MemoryStore
from gateway.admin.attempts import BURST, EVERY, Attempts
from gateway.admin.audit import Audit
from gateway.admin.tokens import FORGOTTEN_AFTER, MOST, NewToken, Tokens
from tests.conversation.made_up import ManualClock
from tests.gateway.api.house import ADMIN, House, served


async def test_whoever_has_the_token_of_the_configuration_is_an_admin_of_all_bots(house: House) -> None:
    said = await house.ask("GET", "/whoami")
    assert said.object["name"] == "bootstrap"
    assert (said.object["role"], said.object["bots"]) == ("admin", None)


async def test_a_token_is_told_once_and_says_who_it_is_for(house: House) -> None:
    made = await house.ask(
        "POST", "/tokens", {"name": "CI of Łódź", "role": "operator", "bots": ["helpdesk"]}
    )
    assert made.status == 201
    token = str(made.object["token"])
    who = (await house.ask("GET", "/whoami", token=token)).object
    assert (who["name"], who["role"], who["bots"]) == ("token:CI of Łódź", "operator", ["helpdesk"])
    assert isinstance(who["permissions"], list)
    assert set(who["permissions"]) == {"read", "read texts", "operate"}
    assert made.headers["Location"] == f"/api/v1/tokens/{made.object['id']}"
    listed = await house.ask("GET", "/tokens")
    shown = await house.ask("GET", f"/tokens/{made.object['id']}")
    assert listed.items == [shown.document]
    assert shown.document == {name: value for name, value in made.object.items() if name != "token"}


async def test_the_store_has_no_token_that_could_be_used(house: House) -> None:
    made = await house.ask(
        "POST", "/tokens", {"name": "ci", "role": "admin"}, headers={"Idempotency-Key": "once"}
    )
    secret = str(made.object["token"]).rsplit("_", 1)[1]
    documents = [
        record.document.decode()
        for kind in ("token", "idempotency")
        for record in await house.store.records.all(kind)
    ]
    assert len(documents) == 2
    assert not any(secret in one or ADMIN in one for one in documents)


async def test_a_revoked_token_is_refused_at_once(house: House) -> None:
    made = (await house.ask("POST", "/tokens", {"name": "ci", "role": "admin"})).object
    token = str(made["token"])
    assert (await house.ask("GET", "/tokens", token=token)).status == 200
    assert (await house.ask("DELETE", f"/tokens/{made['id']}")).status == 204
    assert (await house.ask("GET", "/tokens", token=token)).status == 401
    assert (await house.ask("DELETE", f"/tokens/{made['id']}")).status == 404
    assert (await house.ask("GET", f"/tokens/{made['id']}")).status == 404


async def test_a_token_ends_when_it_was_meant_to_and_is_forgotten_later(tmp_path: Path) -> None:
    clock = ManualClock()
    async with served(tmp_path, clock=clock) as house:
        made = await house.ask("POST", "/tokens", {"name": "ci", "role": "admin", "expires_in": "90s"})
        token = str(made.object["token"])
        assert made.object["expires_at"] == "2027-01-15T08:01:30Z"
        clock.advance(89)
        assert (await house.ask("GET", "/whoami", token=token)).status == 200
        clock.advance(1)
        assert (await house.ask("GET", "/whoami", token=token)).status == 401
        assert len((await house.ask("GET", "/tokens")).items) == 1, (
            "it is still to be seen that there was one"
        )
        clock.advance(FORGOTTEN_AFTER + 1)
        assert (await house.ask("GET", "/tokens")).items == []


@pytest.mark.parametrize(
    ("new", "field", "said"),
    [
        ({"role": "viewer"}, "name", "is missing; add it"),
        ({"name": "", "role": "viewer"}, "name", "1 to 64 characters that can be seen"),
        ({"name": "a\u202eb", "role": "viewer"}, "name", "1 to 64 characters that can be seen"),
        ({"name": "a\nb", "role": "viewer"}, "name", "1 to 64 characters that can be seen"),
        ({"name": "x" * 65, "role": "viewer"}, "name", "1 to 64 characters that can be seen"),
        ({"name": 7, "role": "viewer"}, "name", "must be text"),
        ({"name": "ci", "role": "root"}, "role", "must be 'admin', 'operator', 'auditor' or 'viewer'"),
        ({"name": "ci", "role": "viewer", "bots": []}, "bots", "at least 1 of them"),
        ({"name": "ci", "role": "viewer", "bots": ["../x"]}, "bots[0]", "lower-case letters"),
        ({"name": "ci", "role": "viewer", "expires_in": "soon"}, "expires_in", "such as 330s, 5m or 2h"),
        ({"name": "ci", "role": "viewer", "expires_in": 0}, "expires_in", "greater than or equal to 1"),
        ({"name": "ci", "rolle": "viewer"}, "rolle", "did you mean role?"),
    ],
)
async def test_each_field_says_what_is_wrong_with_it(
    house: House, new: dict[str, object], field: str, said: str
) -> None:
    answer = await house.ask("POST", "/tokens", json.loads(json.dumps(new)))
    assert answer.status == 422
    assert said in answer.errors[field]
    assert field in answer.detail


async def test_two_tokens_of_one_name_could_not_be_told_apart_in_the_audit(house: House) -> None:
    new = {"name": "ci", "role": "viewer"}
    assert (await house.ask("POST", "/tokens", new)).status == 201
    again = await house.ask("POST", "/tokens", new)
    assert again.status == 409
    assert "choose another name" in again.detail


async def test_there_is_a_bound_to_the_number_of_tokens(house: House) -> None:
    tokens = house.administration.tokens
    who = await tokens.authenticate(ADMIN)
    assert who is not None
    for number in range(MOST):
        await tokens.create(who, NewToken(name=f"number {number}", role="viewer"))
    refused = await house.ask("POST", "/tokens", {"name": "one more", "role": "viewer"})
    assert refused.status == 409
    assert "revoke one" in refused.detail


async def test_a_damaged_token_is_nobodys_and_harms_no_list(house: House) -> None:
    await house.store.records.put("token", "damaged", b"{", expected=0)
    assert (await house.ask("GET", "/tokens")).items == []
    assert (await house.ask("GET", "/whoami", token="tk_damaged_x")).status == 401


@pytest.mark.parametrize("token", ["tk_", "tk__", "tk_x", "tk_x_y", "x", "tk_../_", "tk_\udce9_x"])
async def test_what_is_no_token_is_refused(token: str) -> None:
    store = MemoryStore(ManualClock())
    tokens = Tokens(store.records, Audit(store.audit), ManualClock(), bootstrap=ADMIN)
    assert await tokens.authenticate(token) is None


async def test_an_address_that_tries_many_tokens_has_to_wait_but_not_who_had_a_right_one(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with served(tmp_path, clock=clock) as house:
        known = await house.token("viewer")
        unused = str((await house.ask("POST", "/tokens", {"name": "new", "role": "viewer"})).object["token"])
        assert (await house.ask("GET", "/whoami", token=known)).status == 200
        for number in range(BURST):
            assert (await house.ask("GET", "/whoami", token=f"guess {number}")).status == 401
        for token in ("another guess", unused):
            refused = await house.ask("GET", "/whoami", token=token)
            assert refused.status == 429
            assert refused.headers["Retry-After"] == str(int(EVERY))
        assert (await house.ask("GET", "/whoami", token=known)).status == 200
        clock.advance(EVERY)
        assert (await house.ask("GET", "/whoami", token=unused)).status == 200


def test_attempts_are_counted_in_bounded_memory() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)
    for number in range(30_000):
        attempts.failed(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
        attempts.succeeded("10.0.0.1", f"token {number}")
    assert len(attempts._failures) <= 10_000
    assert len(attempts._known) <= 1_000


def test_a_whole_ipv6_network_counts_as_one_address() -> None:
    attempts = Attempts(ManualClock())
    for number in range(BURST):
        attempts.failed(f"2001:db8::{number:x}")
    assert attempts.wait("2001:db8::ffff", "x") > 0
    assert attempts.wait("2001:db8:0:1::1", "x") == 0
    for _ in range(BURST):
        attempts.failed("::ffff:10.0.0.1")
    assert attempts.wait("10.0.0.1", "x") > 0
    assert attempts.wait("::ffff:10.0.0.2", "x") == 0
    assert attempts.wait("", "x") == attempts.wait("unix:", "x") == 0
