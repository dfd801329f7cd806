"""A record that nobody can read any more: its chat is told, it is kept as a dead letter, and the rest goes on."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from conversation.texts import notice
from conversation.turn import Reason
from gateway.demo.model import Message, Reply
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.faults.talk import PLATFORMS, Look, replies
from tests.gateway.test_dead_letters_command import command
from tests.town import Town, town
from tests.waiting import until

SORRY = notice(Reason.MALFORMED, "en", "").partition(" (ref")[0]


def script(messages: list[Message]) -> Reply:
    return Reply(f"fine: {messages[-1].content}")


def damage_file(path: Path) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute("UPDATE turn SET message = x'00ff' WHERE seq = 1").rowcount == 1
    db.close()


def damage_queue(namespace: str) -> None:
    found = valkey().ask("KEYS", f"*{namespace}*:queue:*")
    assert isinstance(found, list)
    (queue,) = found
    facts, _, _ = str(valkey().ask("LINDEX", queue, 0)).partition("\n")
    valkey().ask("LSET", queue, 0, f"{facts}\nwhat is this")


def settled(here: Town, look: Look) -> bool:
    """Whether the card that Lark shows before there is any text has been there for a while, and is stored."""
    asked_for = time.time() - here.model.calls_made[0].started_at
    return asked_for > 0.5 and all(time.time() - one.at > 0.5 for one in replies(look))


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_damaged_record_is_answered_with_a_notice_and_what_follows_is_answered(
    tmp_path: Path, platform: str, engine: str
) -> None:
    namespace = fresh_namespace()
    store = {"store": {"url": valkey().url, "namespace": namespace}} if engine == "redis" else {}
    admin = {"token": "made-up"}
    async with town(
        tmp_path, script=script, first_token_after=3.0, settings={**store, "admin": admin}
    ) as here:
        said, look = await PLATFORMS[platform](here)
        await until(lambda: here.model.calls_made and settled(here, look), 10)
        await here.gateway.kill()
        if engine == "redis":
            damage_queue(namespace)
        else:
            damage_file(tmp_path / "turnkeeper.db")
        await here.gateway.start()
        await until(lambda: len(replies(look)) == 2 and "fine: two" in replies(look)[1].text, 40)
        assert replies(look)[0].text.startswith(SORRY)
        assert said[0].accepted
        code, letters, _ = await command("list", "--json", folder=tmp_path)
        assert (code, letters.count('"malformed"')) == (0, 1)
