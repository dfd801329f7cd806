"""A stored bot over real HTTP: from a draft that answers URL verification to one that takes messages, and away."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from tests.channels.lark import signing as lark
from tests.channels.slack import signing as slack
from tests.gateway.api.house import House, Said, served
from tests.gateway.letters import settings_in

KEY = "a-secrets-key-of-the-tests"
PATCH = {"Content-Type": "application/merge-patch+json"}
LARK = {"id": "assistant", "channel": "lark", "agent": "default", "api_base_url": "http://127.0.0.1:9/"}
SLACK = {"id": "desk", "channel": "slack", "agent": "default", "api_base_url": "http://127.0.0.1:9/"}


@asynccontextmanager
async def house(folder: Path, store: MemoryStore | None = None, *, keys: str = KEY) -> AsyncIterator[House]:
    settings = settings_in(folder, secrets_key=keys)
    async with served(folder, store=store, settings=settings) as here:
        yield here


async def sent(
    here: House, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[int, str, object]:
    """Status, admission and body."""
    async with here.http.post(f"{here.url}/webhooks/{path}", data=body, headers=headers) as answer:
        content = await answer.text()
        admission = answer.headers.get("X-Turnkeeper-Admission", "")
        return answer.status, admission, json.loads(content) if admission else content


def signed_by_lark(plain: bytes, key: str) -> tuple[bytes, dict[str, str]]:
    now, body = str(int(time.time())), lark.encrypted(plain, key)
    signature = hashlib.sha256(f"{now}nonce{key}".encode() + body).hexdigest()
    return body, {
        "X-Lark-Request-Timestamp": now,
        "X-Lark-Request-Nonce": "nonce",
        "X-Lark-Signature": signature,
    }


def signed_by_slack(name: str, secret: str) -> tuple[bytes, Mapping[str, str]]:
    body = slack.payload(name)
    return body, slack.signed(body, secret=secret, timestamp=str(int(time.time()))).headers


async def change(here: House, bot: str, version: int, patch: dict[str, object]) -> Said:
    return await here.ask(
        "PATCH",
        f"/bots/{bot}",
        raw=json.dumps(patch).encode(),
        headers={**PATCH, "If-Match": f'"{version}"'},
    )


async def test_a_lark_bot_answers_url_verification_as_soon_as_its_encrypt_key_is_known(
    tmp_path: Path,
) -> None:
    challenge, message = lark.payload("url_verification"), lark.payload("p2p_text")
    async with house(tmp_path) as here:
        assert (await sent(here, "lark/assistant", challenge))[0] == 404
        assert (await here.ask("POST", "/bots", LARK)).object["state"] == "draft"
        assert (await sent(here, "lark/assistant", challenge))[:2] == (200, "challenge")
        encrypted = lark.encrypted(challenge, "its-encrypt-key")
        assert (await sent(here, "lark/assistant", encrypted))[0] == 401
        draft = await change(here, "assistant", 1, {"credentials": {"encrypt_key": "its-encrypt-key"}})
        assert draft.object["state"] == "draft"
        answer = await sent(here, "lark/assistant", encrypted)
        assert answer == (200, "challenge", {"challenge": "ajls384kdjx98XX"})
        event = signed_by_lark(message, "its-encrypt-key")
        assert (await sent(here, "lark/assistant", *event))[0] == 401, "a draft admits nothing"
        whole = {"app_id": "cli_made_up", "app_secret": "s", "verification_token": "verification-token"}
        ready = await change(here, "assistant", 2, {"credentials": whole})
        assert ready.object["state"] == "ready"
        assert (await sent(here, "lark/assistant", encrypted))[:2] == (200, "challenge")
        assert (await sent(here, "lark/assistant", *event))[1].startswith(
            ("accepted", "refused; reason=stale")
        )


async def test_a_slack_bot_takes_what_its_new_signing_secret_signs_and_no_more_what_the_old_one_did(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        await here.ask("POST", "/bots", SLACK)
        assert (await sent(here, "slack/desk", slack.payload("url_verification")))[:2] == (200, "challenge")
        old, new = (signed_by_slack("message_im", secret) for secret in ("the-old-one", "the-new-one"))
        assert (await sent(here, "slack/desk", *old))[0] == 401
        await change(
            here, "desk", 1, {"credentials": {"signing_secret": "the-old-one", "bot_token": "xoxb-1"}}
        )
        assert (await sent(here, "slack/desk", *old))[0] == 200
        assert (await sent(here, "slack/desk", *new))[0] == 401
        await change(here, "desk", 2, {"credentials": {"signing_secret": "the-new-one"}})
        assert (await sent(here, "slack/desk", *old))[0] == 401
        assert (await sent(here, "slack/desk", *new))[0] == 200


async def test_a_bot_that_is_removed_is_404_and_one_that_needs_its_admin_asks_to_be_sent_it_again(
    tmp_path: Path,
) -> None:
    store = MemoryStore(SystemClock())
    async with house(tmp_path, store) as here:
        for document in (SLACK, LARK):
            await here.ask("POST", "/bots", {**document, "credentials": {}})
        await change(here, "desk", 1, {"credentials": {"signing_secret": "s", "bot_token": "xoxb-1"}})
        removed = await here.ask("DELETE", "/bots/assistant", headers={"If-Match": '"1"'})
        assert removed.status == 204
        assert (await sent(here, "lark/assistant", lark.payload("url_verification")))[0] == 404
    await store.records.delete("canary", "secrets_key", expected=1)
    async with house(tmp_path, store, keys="another-key-of-the-tests") as here:
        event = signed_by_slack("message_im", "s")
        status, _, told = await sent(here, "slack/desk", *event)
        assert (status, "secrets_key" in str(told)) == (503, False), "a stranger is told nothing"
        assert (await sent(here, "slack/helpdesk", *event))[0] == 200, "others go on"
        (faulty,) = (
            one
            for one in (await here.ask("GET", "/bots")).items
            if isinstance(one, dict) and one["id"] == "desk"
        )
        assert faulty["state"] == "faulty"
        assert "enter the secret again" in str(faulty["problem"])


@pytest.mark.parametrize("depth", [300, 5_000])
async def test_a_bot_nested_beyond_reason_is_refused_by_its_fields(tmp_path: Path, depth: int) -> None:
    async with house(tmp_path) as here:
        nested = json.dumps(SLACK)[:-1] + ', "allow": ' + '{"users":' * depth + "[]" + "}" * depth + "}"
        headers = {"Content-Type": "application/json"}
        answer = await here.ask("POST", "/bots", raw=nested.encode(), headers=headers)
        assert answer.status in (400, 422)
        await here.ask("POST", "/bots", SLACK)
        answer = await here.ask(
            "PATCH", "/bots/desk", raw=nested.encode(), headers={**PATCH, "If-Match": '"1"'}
        )
        assert answer.status in (400, 422)


async def test_no_answer_and_no_record_holds_a_secret(tmp_path: Path) -> None:
    secrets = {"app_id": "cli_marzipan", "app_secret": "marzipan-2", "encrypt_key": "marzipan-3"}
    async with house(tmp_path) as here:
        answers = [await here.ask("POST", "/bots", {**LARK, "credentials": secrets})]
        wrong = {**secrets, "app_secret": ["marzipan-4"], "marzipan": "marzipan-5"}
        answers += [
            await change(here, "assistant", 1, {"credentials": wrong}),
            await change(here, "assistant", 1, {"credentials": "marzipan-6"}),
            await change(here, "assistant", 1, {"credentials": {"app_secret": "file:marzipan-7\0"}}),
            await here.ask("GET", "/bots"),
            await here.ask("GET", "/audit"),
        ]
        assert [one.status for one in answers] == [201, 422, 422, 422, 200, 200]
        told = json.dumps([one.document for one in answers])
        stored = b"".join(record.document for record in await here.store.records.all("bot")).decode()
        for secret in ("marzipan-2", "marzipan-3", "marzipan-4", "marzipan-5", "marzipan-6"):
            assert secret not in told + stored
