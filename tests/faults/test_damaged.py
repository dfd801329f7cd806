"""A record that nobody can read any more: its chat is told, it is kept as a dead letter, and the rest goes on."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from conversation.texts import notice
from conversation.turn import Reason
from gateway.demo.model import Message, Reply
from tests.conversation.stores.servers import valkey
from tests.faults.crash import Engine, Talk, all_of_them, everywhere, store
from tests.gateway.test_dead_letters_command import command
from tests.town import Town, town
from tests.waiting import until

SORRY = notice(Reason.MALFORMED, "en", "").partition(" (ref")[0]


def script(messages: list[Message]) -> Reply:
    return Reply(f"fine: {messages[-1].content}")


def damage_file(path: Path) -> int:
    with sqlite3.connect(path) as db:
        damaged = db.execute("UPDATE turn SET message = x'00ff' WHERE seq = 1").rowcount
    db.close()
    return damaged


def damage_queues(namespace: object) -> int:
    queues = valkey().ask("KEYS", f"*{namespace}*:queue:*")
    assert isinstance(queues, list)
    for queue in queues:
        facts, _, _ = str(valkey().ask("LINDEX", queue, 0)).partition("\n")
        valkey().ask("LSET", queue, 0, f"{facts}\nwhat is this")
    return len(queues)


def settled(here: Town, talk: Talk) -> bool:
    """All are being answered, and what Lark shows before there is any text has been there for a while."""
    shown = [reply for spoken in talk.values() for reply in spoken.replies]
    return len(here.model.calls_made) == len(talk) and all(
        time.time() - at > 0.5
        for at in (*(one.at for one in shown), *(call.started_at for call in here.model.calls_made))
    )


@pytest.mark.parametrize("engine", ["sqlite", "redis"])
async def test_a_damaged_record_is_answered_with_a_notice_and_what_follows_is_answered(
    tmp_path: Path, engine: Engine
) -> None:
    settings = {**store(engine), "admin": {"token": "made-up"}}
    async with town(tmp_path, script=script, first_token_after=3.0, settings=settings) as here:
        talk = await everywhere(here)
        await until(lambda: settled(here, talk), 10)
        await here.gateway.kill()
        match settings.get("store"):
            case {"namespace": namespace}:
                assert damage_queues(namespace) == len(talk)
            case _:
                assert damage_file(tmp_path / "turnkeeper.db") == len(talk)
        await here.gateway.start()
        await all_of_them(talk, lambda one: [reply.text for reply in one.replies][1:] == ["fine: two"], 60)
        assert all(spoken.replies[0].text.startswith(SORRY) for spoken in talk.values())
        code, letters, _ = await command("list", "--json", folder=tmp_path)
        assert (code, letters.count('"malformed"')) == (0, len(talk))
