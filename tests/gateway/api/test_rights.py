"""Every endpoint against every role: who may, who may not, and that nobody without the right sees a text."""

from __future__ import annotations

import re

import pytest

from conversation.busy import Limits
from gateway.admin.access import Principal, Role
from gateway.api import subjects
from gateway.api.endpoint import AnyEndpoint
from tests.conversation.made_up import answered, message
from tests.gateway.api.house import House
from tests.gateway.letters import TEXT, die

ROLES: tuple[Role, ...] = ("admin", "operator", "auditor", "viewer")
FOR_ALL = {"whoami"}
"""What any token may."""

SLOW = {"testBot", "followEvents"}
"""Asks a platform, or never ends: only who may not is tried."""


def endpoints(house: House) -> list[AnyEndpoint]:
    return [one for subject in subjects(house.administration) for one in subject.endpoints]


async def inhabited(house: House) -> dict[str, str]:
    """Something of everything there is at helpdesk, each with a text; what stands for the parts of a path."""
    turns = house.store.turns
    letter = await die(turns, message(TEXT, chat="C9"))
    session = await turns.open_session()
    await turns.admit(message(TEXT), session=session, may_claim=False, limits=Limits(9))
    (claim,) = await turns.claim(session, 1)
    await turns.complete(claim, answered(f"answer to {TEXT}"), keep_turns=9)
    await turns.admit(message(f"again: {TEXT}"), session=session, may_claim=False, limits=Limits(9))
    return {"letter": letter, "key": str(message().key)}


def path_of(one: AnyEndpoint, known: dict[str, str]) -> str:
    subject = one.path.split("/")[1]
    ids = {"dead-letters": known["letter"], "bots": "helpdesk", "agents": "default"}
    path = one.path.replace("{key}", known["key"]).replace("{id}", ids.get(subject, "nothing"))
    path = path.replace("{place}", "T1")
    assert "{" not in path
    return path + (f"?what={known['key']}" if one.name == "explainTurn" else "")


async def asked(house: House, one: AnyEndpoint, known: dict[str, str], token: str) -> tuple[int, str]:
    """Status, and all that was said."""
    body: dict[str, str] | None = {} if one.takes is not None else None
    if one.name == "commandConversation":  # whose body says more than whether it is one
        body = {"type": "clear"}
    headers = {"If-Match": "*"} if one.guarded else {}
    said = await house.ask(one.method, path_of(one, known), body, token=token, headers=headers)
    return said.status, str(said.document)


async def test_every_endpoint_says_which_right_it_needs(house: House) -> None:
    found = endpoints(house)
    assert {one.name for one in found if one.needs is None} == FOR_ALL
    assert len({one.name for one in found}) == len(found)
    document = str((await house.ask("GET", "/openapi.json")).document)
    assert all(f"'{one.name}'" in document for one in found)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_what_it_includes_and_nothing_else(house: House, role: Role) -> None:
    known = await inhabited(house)
    token = await house.token(role)
    includes = Principal("x", role).permissions
    for one in endpoints(house):
        may = one.needs is None or one.needs in includes
        if may and one.name in SLOW:
            continue
        status, said = await asked(house, one, known, token)
        assert (status == 403) is not may, f"{role} {one.name}: {status} {said}"
        assert status not in (401, 500), f"{role} {one.name}: {said}"


async def test_a_viewer_is_told_no_text_anywhere_and_an_auditor_is(house: House) -> None:
    known = await inhabited(house)
    word = TEXT.split()[-1]
    read: dict[str, list[str]] = {}
    for role in ("viewer", "auditor"):
        token = await house.token(role)
        read[role] = []
        for one in endpoints(house):
            if one.method == "GET" and one.name not in SLOW:
                _, said = await asked(house, one, known, token)
                if word in said:
                    read[role].append(one.name)
    assert read["viewer"] == []
    assert {"getConversation", "getDeadLetter", "explainTurn"} <= set(read["auditor"])


@pytest.mark.parametrize("role", ROLES)
async def test_a_token_of_another_bot_neither_sees_nor_touches_this_one(house: House, role: Role) -> None:
    """The layer knows roles alone: it is the services that know for which bots."""
    known = await inhabited(house)
    token = await house.token(role, "other")
    for one in endpoints(house):
        if one.name in FOR_ALL | {"followEvents"}:
            continue
        status, said = await asked(house, one, known, token)
        bound = re.search(r"\{(id|key)\}", one.path) and not one.path.startswith(("/agents", "/tokens"))
        assert status != 500, f"{role} {one.name}"
        assert "marzipan" not in said, f"{role} {one.name}"
        if bound or one.name == "explainTurn":
            assert status in (403, 404), f"{role} {one.name}: {status}"
            assert known["key"] not in said.replace(repr(known["key"]), "")
        elif one.method != "GET" and status < 300:
            assert one.name == "pingAgent", f"{role} {one.name}: what is for all bots was done"
    for path in ("/bots", "/conversations", "/dead-letters"):
        assert (await house.ask("GET", path, token=token)).items == []
    assert len(await house.store.turns.dead_letters()) == 1


async def test_a_token_of_this_bot_may_at_it_what_its_role_includes(house: House) -> None:
    known = await inhabited(house)
    token = await house.token("operator", "helpdesk")
    assert (await house.ask("GET", f"/conversations/{known['key']}", token=token)).status == 200
    command = {"type": "message", "text": "hello"}
    said = await house.ask("POST", f"/conversations/{known['key']}/commands", command, token=token)
    assert said.status == 200
    assert (await house.ask("GET", "/audit", token=token)).status == 403
    assert (await house.ask("GET", "/tokens", token=token)).status == 403
