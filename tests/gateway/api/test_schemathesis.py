"""Schemathesis plays with the API as ``openapi.json`` describes it, over HTTP."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from conversation.busy import Limits
from gateway.admin import attempts
from gateway.admin.audit import Audit
from gateway.admin.paging import Page
from gateway.admin.tokens import Tokens
from tests.conversation.made_up import answered, message
from tests.gateway.api.house import ADMIN, House, served
from tests.gateway.letters import die

CONFIG = """
[checks]
# A repeated Idempotency-Key is answered as before, also when what it made is gone by then.
ensure_resource_availability.enabled = false
# A precondition has its own status (RFC 6585).
missing_required_header.expected-statuses = [428]
# Only we know whether a cursor, a key that was used, or an agent that is named, is a good one.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429]
positive_data_acceptance.expected-statuses = ["2xx", 403, 404, 409, 412, 422]

[[operations]]
include-operation-id = ["getConversation", "commandConversation"]
parameters = {{ "path.key" = "{conversation}" }}

[[operations]]
include-operation-id = ["getDeadLetter", "retryDeadLetter"]
parameters = {{ "path.id" = "{letter}" }}
"""


async def inhabited(house: House) -> str:
    """Something of everything there is; the configuration that names it."""
    turns = house.store.turns
    letter = await die(turns, message("marzipan"))
    session = await turns.open_session()
    for text in ("one", "two"):
        await turns.admit(message(text), session=session, may_claim=False, limits=Limits(9))
    (claim,) = await turns.claim(session, 1)
    await turns.complete(claim, answered("yes"), keep_turns=9)
    await house.ask("POST", "/bots", {"id": "stored", "channel": "lark", "agent": "default"})
    await house.ask("POST", "/agents", {"id": "stored", "provider": "echo"})
    await house.token("viewer")
    return CONFIG.format(conversation=message().key, letter=letter)


async def schemathesis(house: House, folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Exit code and what it said."""
    config = folder / "schemathesis.toml"
    config.write_text(await inhabited(house), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
        f"{house.url}/api/v1/openapi.json",
        *("--header", f"Authorization: Bearer {ADMIN}", "--seed", "4", "--generation-database", "none"),
        *("--request-timeout", "10", "--no-color", *arguments),
        stdout=PIPE,
        stderr=STDOUT,
        cwd=folder,
    )
    said, _ = await process.communicate()
    return process.returncode, "\n".join(line[:300] for line in said.decode().splitlines())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends wrong tokens too, and expects 401 for each."""
    monkeypatch.setattr(attempts, "BURST", 100_000)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("patient")
async def test_nothing_that_it_sends_is_answered_with_a_5xx_or_with_what_is_not_described(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as house:
        # A stream of events has no end to wait for, a self-test asks platform and model; both have their own tests.
        without = ("--exclude-operation-id", "followEvents", "--exclude-operation-id", "testBot")
        code, said = await schemathesis(house, tmp_path, *without, "--max-examples", "20", "--max-time", "60")
        assert code == 0, said


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("fault", ["a crash", "another answer", "an open door"])
async def test_it_sees_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    async def another(*_: object, **__: object) -> Page[str]:
        return Page[str](items=("what is this?",))

    authenticate = Tokens.authenticate

    async def open_door(tokens: Tokens, _: str) -> object:
        return await authenticate(tokens, ADMIN)

    match fault:
        case "a crash":
            monkeypatch.setattr(Audit, "page", crash)
            found = "Server error"
        case "another answer":
            monkeypatch.setattr(Audit, "page", another)
            found = "Response violates schema"
        case _:
            monkeypatch.setattr(Tokens, "authenticate", open_door)
            found = "accepts invalid authentication"
    async with served(tmp_path) as house:
        code, said = await schemathesis(
            house, tmp_path, "--include-operation-id", "listAudit", "--max-examples", "10"
        )
        assert code == 1, said
        assert found in said, said


async def test_the_document_is_valid_openapi(house: House) -> None:
    document = (await house.ask("GET", "/openapi.json")).object
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
