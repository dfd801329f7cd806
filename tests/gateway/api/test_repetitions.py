"""A POST that is repeated with its Idempotency-Key is done once, on every replica and after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conversation.stores.memory import MemoryStore
from conversation.stores.port import StoreUnavailableError
from gateway.admin.access import Principal
from gateway.admin.tokens import CreatedToken, NewToken, Tokens
from gateway.api.idempotency import BEGUN_FOR, REMEMBERED_FOR
from gateway.janitor import Janitor
from tests.conversation.made_up import ManualClock
from tests.gateway.api.house import House, served

CI = {"name": "ci", "role": "viewer"}
ONCE = {"Idempotency-Key": "5f0c"}


async def names(house: House) -> list[object]:
    return [one["name"] for one in (await house.ask("GET", "/tokens")).items if isinstance(one, dict)]


async def test_a_repetition_is_answered_as_before_even_with_a_secret(house: House) -> None:
    first = await house.ask("POST", "/tokens", CI, headers=ONCE)
    again = await house.ask("POST", "/tokens", CI, headers=ONCE)
    assert (first.status, again.status) == (201, 201)
    assert again.document == first.document
    assert again.headers["Location"] == first.headers["Location"]
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert await names(house) == ["ci"]
    assert (await house.ask("GET", "/whoami", token=str(again.object["token"]))).status == 200


async def test_another_replica_and_the_next_process_remember_it_too(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    async with served(tmp_path, store=store, clock=clock) as one:
        first = await one.ask("POST", "/tokens", CI, headers=ONCE)
    async with served(tmp_path, store=store, clock=clock) as other:
        assert (await other.ask("POST", "/tokens", CI, headers=ONCE)).document == first.document
        clock.advance(REMEMBERED_FOR)
        assert (await other.ask("POST", "/tokens", CI, headers=ONCE)).status == 409, (
            "it is a new request again"
        )


async def test_a_key_is_for_one_request_alone(house: House) -> None:
    await house.ask("POST", "/tokens", CI, headers=ONCE)
    for path, body in (
        ("/tokens", {**CI, "name": "other"}),
        ("/privacy/erase", {"channel": "slack", "user": "U"}),
    ):
        said = await house.ask("POST", path, body, headers=ONCE)
        assert said.status == 422
        assert "send a new one" in said.errors["Idempotency-Key"]
    assert await names(house) == ["ci"]


async def test_a_key_counts_for_the_token_it_was_sent_with(house: House) -> None:
    """Somebody who guesses a key is told nothing that its owner was."""
    await house.ask("POST", "/tokens", CI, headers=ONCE)
    other = str((await house.ask("POST", "/tokens", {"name": "other", "role": "admin"})).object["token"])
    said = await house.ask("POST", "/tokens", CI, headers=ONCE, token=other)
    assert (said.status, "token" in said.object) == (409, False)


async def test_what_failed_may_be_corrected_and_sent_with_the_same_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.ask("POST", "/tokens", CI)
    assert (await house.ask("POST", "/tokens", CI, headers=ONCE)).status == 409
    assert (await house.ask("POST", "/tokens", {**CI, "name": "b"}, headers=ONCE)).status == 201

    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as outage:
        outage.setattr(Tokens, "create", away)
        assert (
            await house.ask("POST", "/tokens", {**CI, "name": "c"}, headers={"Idempotency-Key": "2"})
        ).status == 503
    assert (
        await house.ask("POST", "/tokens", {**CI, "name": "c"}, headers={"Idempotency-Key": "2"})
    ).status == 201


async def test_two_at_once_are_one_and_the_second_is_told_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    async with served(tmp_path, clock=clock) as house:
        create, begun, go_on = Tokens.create, asyncio.Event(), asyncio.Event()

        async def slow(tokens: Tokens, who: Principal, new: NewToken) -> CreatedToken:
            begun.set()
            await go_on.wait()
            return await create(tokens, who, new)

        monkeypatch.setattr(Tokens, "create", slow)
        first = asyncio.create_task(house.ask("POST", "/tokens", CI, headers=ONCE))
        await begun.wait()
        second = await house.ask("POST", "/tokens", CI, headers=ONCE)
        assert (second.status, second.headers["Retry-After"]) == (409, "1")
        assert "still being answered" in second.detail
        clock.advance(BEGUN_FOR)
        go_on.set()
        third = await house.ask("POST", "/tokens", CI, headers=ONCE)
        assert (await first).status == 201
        assert third.status in (201, 409), "its process counts as lost: who repeats it does it"
        assert await names(house) == ["ci"]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "é"])
async def test_a_key_has_a_form(house: House, key: str) -> None:
    said = await house.ask("POST", "/tokens", CI, headers={"Idempotency-Key": key})
    assert said.status == 422
    assert "such as a UUID" in said.errors["Idempotency-Key"]


async def test_what_is_too_old_is_forgotten(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    janitor = Janitor(store.records, clock)
    async with served(tmp_path, store=store, clock=clock) as house:
        await house.ask("POST", "/tokens", CI, headers=ONCE)
    clock.advance(REMEMBERED_FOR)
    await janitor.sweep()
    assert len(await store.records.all("idempotency")) == 1
    clock.advance(3601.0)
    await janitor.sweep()
    assert await store.records.all("idempotency") == ()


async def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    async with served(tmp_path, store=store, clock=clock) as house:
        await house.ask("POST", "/tokens", CI, headers=ONCE)
        [record] = await store.records.all("idempotency")
        await store.records.put("idempotency", record.id, b"{", expected=record.version)
        again = await house.ask("POST", "/tokens", {"name": "ci2", "role": "viewer"}, headers=ONCE)
        assert again.status == 201
