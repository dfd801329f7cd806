"""The stream of events: CloudEvents without texts, resumed where it broke off, ended with its token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from conversation.busy import Limits
from gateway.api import streams
from tests.conversation.made_up import answered, message
from tests.gateway.api.house import ADMIN, House
from tests.gateway.letters import TEXT


async def happen(house: House, bot: str = "helpdesk", text: str = TEXT) -> None:
    """A message is accepted and answered: three events."""
    turns = house.store.turns
    session = await turns.open_session()
    await turns.admit(message(text, bot=bot), session=session, may_claim=False, limits=Limits(9))
    (claim,) = await turns.claim(session, 1)
    await turns.complete(claim, answered(f"an answer to {text}"), keep_turns=9)


@asynccontextmanager
async def followed(
    house: House, *, token: str = ADMIN, query: str = "", last: str | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Authorization": f"Bearer {token}"} | ({} if last is None else {"Last-Event-ID": last})
    async with house.http.get(f"{house.url}/api/v1/events{query}", headers=headers) as answer:
        yield answer


async def events(answer: aiohttp.ClientResponse, number: int) -> list[tuple[str, dict[str, object]]]:
    """The next ones, each with its id."""
    assert answer.content_type == "text/event-stream"
    found: list[tuple[str, dict[str, object]]] = []
    name = ""
    async with asyncio.timeout(10):
        while len(found) < number:
            line = (await answer.content.readline()).decode().rstrip("\n")
            if line.startswith("id: "):
                name = line.removeprefix("id: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    return found


async def test_what_happens_is_told_as_cloud_events_without_a_text(house: House) -> None:
    async with followed(house) as answer:
        await happen(house)
        told = await events(answer, 3)
    assert [event["type"] for _, event in told] == [
        "turnkeeper.message.admitted.v1",
        "turnkeeper.turn.claimed.v1",
        "turnkeeper.turn.completed.v1",
    ]
    for name, event in told:
        assert (event["specversion"], event["id"], event["source"]) == ("1.0", name, "/turnkeeper")
        assert event["subject"] == str(message().key)
        data = event["data"]
        assert isinstance(data, dict)
        assert str(data["turn"]).startswith(str(data["reference"]))
    assert "marzipan" not in str(told)


async def test_a_reader_that_was_away_goes_on_where_it_stopped(house: House) -> None:
    await happen(house, text="one")
    await happen(house, text="two")
    async with followed(house, last="0") as answer:
        everything = await events(answer, 6)
    async with followed(house, last=everything[2][0]) as answer:
        assert await events(answer, 3) == everything[3:]


async def test_only_what_happens_at_the_bot_that_was_asked_for_and_is_seen(house: House) -> None:
    await happen(house, bot="other")
    await happen(house)
    async with followed(house, query="?bot=helpdesk", last="0") as answer:
        assert {event["subject"] for _, event in await events(answer, 3)} == {str(message().key)}
    token = await house.token("viewer", "helpdesk")
    async with followed(house, token=token, last="0") as answer:
        assert {event["subject"] for _, event in await events(answer, 3)} == {str(message().key)}
    assert (await house.ask("GET", "/events?bot=other", token=token)).status == 404


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "1" * 41, "²"])
async def test_what_is_no_id_of_an_event_is_said_to_be_none(house: House, last: str) -> None:
    said = await house.ask("GET", "/events", headers={"Last-Event-ID": last})
    assert said.status == 422
    assert "is not the id of an event" in said.errors["Last-Event-ID"]


async def test_a_stream_ends_with_its_token(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_EVERY", 0.1)
    made = (await house.ask("POST", "/tokens", {"name": "ci", "role": "viewer"})).object
    async with followed(house, token=str(made["token"])) as answer:
        assert answer.status == 200
        await house.ask("DELETE", f"/tokens/{made['id']}")
        async with asyncio.timeout(2):
            await answer.content.read()


async def test_there_is_a_bound_to_streams_and_room_again_when_one_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST", 1)
    monkeypatch.setattr(streams, "CHECK_EVERY", 0.1)
    made = (await house.ask("POST", "/tokens", {"name": "ci", "role": "viewer"})).object
    async with followed(house, token=str(made["token"])) as first:
        assert first.status == 200
        refused = await house.ask("GET", "/events")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        await house.ask("DELETE", f"/tokens/{made['id']}")
        await first.content.read()
    async with followed(house, last="0") as second:
        assert second.status == 200
