"""``turnkeeper check`` looks at stored bots and agents as it does at those of the file."""

from __future__ import annotations

import json
from pathlib import Path

from conversation.clock import SystemClock
from gateway.checkup import examine
from gateway.concrete import make_store
from gateway.keyring import Keyring
from tests.gateway.admin.desk import KEY, settings_in


async def test_a_stored_bot_is_checked_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, store={"url": f"sqlite:///{tmp_path}/t.db"})
    store = make_store(settings, SystemClock())
    await store.open()
    token = Keyring.parse(KEY).seal("xoxb-1", "bot/other#bot_token")  # another bot's
    for id, credentials in (("draft", {}), ("broken", {"bot_token": token})):
        document = {"id": id, "channel": "slack", "agent": "default", "credentials": credentials}
        await store.records.put("bot", id, json.dumps(document).encode(), expected=0)
    await store.close()

    found = [finding async for finding in examine(settings, live=False)]
    said = {finding.subject: finding for finding in found}
    assert said["store"].ok
    assert "draft" in said["bot draft: credentials"].detail
    assert not said["bot broken"].ok
    assert "belongs to another record" in said["bot broken"].detail


async def test_a_wrong_secrets_key_is_a_finding(tmp_path: Path) -> None:
    where = {"url": f"sqlite:///{tmp_path}/t.db"}
    assert all([one.ok async for one in examine(settings_in(tmp_path, store=where), live=False)])
    other = settings_in(tmp_path, store=where, secrets_key="another-key-of-the-tests")
    (fault,) = [one async for one in examine(other, live=False) if not one.ok]
    assert "secrets_key is not the key of this store" in fault.detail
