"""``turnkeeper dead-letters`` with real processes: a letter is answered after all, and what can be in the way."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from conversation.clock import SystemClock
from gateway.commands.dead_letters import Wish, run
from gateway.commands.gateway_address import address_of
from gateway.concrete import make_store
from gateway.demo.model import Message, Reply
from tests.conversation.made_up import message
from tests.conversation.stores.servers import fresh_namespace, valkey
from tests.gateway.letters import TEXT, TOKEN, die, settings_in
from tests.ports import free_port
from tests.town import Town, town
from tests.waiting import until


async def command(*arguments: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``turnkeeper dead-letters …``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "dead-letters", *arguments, cwd=folder, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def done(*arguments: str, folder: Path) -> str:
    code, output, errors = await command(*arguments, folder=folder)
    assert (code, errors) == (0, "")
    return output


async def refused(*arguments: str, folder: Path) -> str:
    """The one line that says why."""
    code, output, errors = await command(*arguments, folder=folder)
    assert (code, output) == (1, "")
    assert errors.startswith("turnkeeper: ")
    assert errors.count("\n") == 1, errors
    assert TOKEN not in errors
    return errors


def script(messages: list[Message]) -> Reply:
    return Reply(f"An answer to: {messages[-1].content}")


def answers(here: Town) -> list[str]:
    return [shown.text for shown in here.slack.thread("D1", None) if shown.author == "bot"]


async def unanswered(here: Town) -> str:
    """Somebody writes to a chat that takes nothing; the id of the letter, from the log."""
    here.slack.fail_next("chat.postMessage", error="channel_not_found", times=2)
    said = await here.slack_dm(TEXT)
    assert said.accepted
    log = here.folder / "gateway.log"
    await until(lambda: '"outcome":"dead"' in log.read_text(), 10)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return str(next(line["turn"] for line in lines if line.get("outcome") == "dead"))


async def test_a_letter_is_seen_and_answered_once_after_all(tmp_path: Path) -> None:
    admin = {"token": TOKEN, "listen": f"127.0.0.1:{free_port()}"}
    async with town(tmp_path, script=script, settings={"admin": admin}) as here:
        assert await done("list", folder=tmp_path) == "no dead letters\n"
        dead = await unanswered(here)
        await here.slack_dm("still there?")
        await until(lambda: answers(here) == ["An answer to: still there?"], 10, lambda: answers(here))

        head, line = (await done("list", folder=tmp_path)).splitlines()
        assert head.split() == ["id", "at", "bot", "reason", "readable"]
        assert line.split()[0] == dead
        assert line.split()[2:] == ["helpdesk", "delivery_failed", "yes"]
        assert "marzipan" not in line
        assert TEXT in await done("show", dead, folder=tmp_path)
        (listed,) = json.loads(await done("list", "--json", folder=tmp_path))
        assert (listed["id"], "messages" in listed) == (dead, False)
        assert json.loads(await done("show", dead, "--json", folder=tmp_path))["messages"][0]["text"] == TEXT

        assert "queued again" in await done("retry", dead, folder=tmp_path)
        expected = ["An answer to: still there?", f"An answer to: {TEXT}"]
        await until(lambda: answers(here) == expected, 10, lambda: answers(here))
        assert await done("list", folder=tmp_path) == "no dead letters\n"
        assert f"there is no dead letter '{dead}'" in await refused("retry", dead, folder=tmp_path)
        await here.slack_dm("and now?")
        await until(lambda: answers(here) == [*expected, "An answer to: and now?"], 10, lambda: answers(here))

        second = await unanswered_again(here, dead)
        assert await done("drop", second, folder=tmp_path) == f"dropped {second}\n"
        assert f"there is no dead letter '{second}'" in await refused("drop", second, folder=tmp_path)
        assert f"there is no dead letter '{second}'" in await refused("show", second, folder=tmp_path)
        log = (tmp_path / "gateway.log").read_text()
        assert "marzipan" not in log
        assert TOKEN not in log
        assert f'"action":"dead-letter.retried","target":"dead-letter/{dead}"' in log, (
            "who did what is in the log"
        )


async def unanswered_again(here: Town, first: str) -> str:
    here.slack.fail_next("chat.postMessage", error="channel_not_found", times=2)
    await here.slack_dm("marzipan, please")
    log = here.folder / "gateway.log"
    await until(lambda: log.read_text().count('"outcome":"dead"') == 2, 10)
    ids = re.findall(r'"turn":"(\w+)"[^}]*"outcome":"dead"', log.read_text())
    return str(next(dead for dead in ids if dead != first))


async def test_a_terminal_is_told_whom_to_ask_when_the_gateway_does_not_take_its_token(
    tmp_path: Path,
) -> None:
    async with town(tmp_path, settings={"admin": {"token": TOKEN}}) as here:
        address = here.gateway.slack_webhook.partition("/webhooks")[0]
        config = tmp_path / "turnkeeper.yaml"
        other = tmp_path / "other"
        other.mkdir()
        settings = yaml.safe_load(config.read_text())
        (other / "turnkeeper.yaml").write_text(yaml.safe_dump({**settings, "admin": {"token": "wrong"}}))
        assert "the token is wrong" in await refused("list", folder=other)
        assert "--url must be" in await refused("list", "--url", "localhost", folder=tmp_path)
        nobody = f"http://127.0.0.1:{free_port()}"
        assert f"no gateway answers at {nobody}" in await refused("list", "--url", nobody, folder=tmp_path)
        assert await done("list", "--url", address, folder=tmp_path) == "no dead letters\n"


async def test_a_store_of_one_process_is_opened_only_while_no_gateway_has_it(tmp_path: Path) -> None:
    """Without a token: while a gateway runs the remedy is said; else what is retried waits for the next."""
    async with town(tmp_path, script=script) as here:
        dead = await unanswered(here)
        said = await refused("list", folder=tmp_path)
        assert "another process has it open" in said
        assert "set admin.token and restart that, or stop it" in said
        await here.gateway.kill()
        assert dead in await done("list", folder=tmp_path)
        assert TEXT in await done("show", dead, folder=tmp_path)
        assert "queued again" in await done("retry", dead, folder=tmp_path)
        assert "there is no dead letter" in await refused("retry", dead, folder=tmp_path)
        assert await done("list", folder=tmp_path) == "no dead letters\n"
        await here.gateway.start()
        await until(lambda: answers(here) == [f"An answer to: {TEXT}"], 10, lambda: answers(here))


async def test_a_damaged_letter_is_listed_shown_as_that_and_can_only_be_dropped(tmp_path: Path) -> None:
    async with town(tmp_path, script=script) as here:
        dead = await unanswered(here)
        await here.gateway.kill()
        with sqlite3.connect(tmp_path / "turnkeeper.db") as db:
            db.execute("UPDATE dead_letter SET message = x'00ff'")
        db.close()
        assert (await done("list", folder=tmp_path)).splitlines()[1].split()[-1] == "no"
        assert "The record is damaged" in await done("show", dead, folder=tmp_path)
        assert "its record is damaged" in await refused("retry", dead, folder=tmp_path)
        await done("drop", dead, folder=tmp_path)
        assert await done("list", folder=tmp_path) == "no dead letters\n"


async def test_letters_on_redis_are_reached_without_a_gateway_and_answered_by_those_that_run(
    tmp_path: Path,
) -> None:
    store = {"url": valkey().url, "namespace": fresh_namespace()}
    async with town(tmp_path, script=script, settings={"store": store}) as here:
        dead = await unanswered(here)
        assert dead in await done("list", folder=tmp_path)
        assert "queued again" in await done("retry", dead, folder=tmp_path)
        await until(lambda: answers(here) == [f"An answer to: {TEXT}"], 10, lambda: answers(here))
        assert await done("list", folder=tmp_path) == "no dead letters\n"


async def test_with_a_token_and_no_gateway_the_store_is_opened(tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path,
        server={"port": free_port()},
        store={"url": f"sqlite:///{tmp_path / 'letters.db'}"},
    )
    assert "there is no" in await refused("list", folder=tmp_path), (
        "an empty store here would be a wrong answer"
    )
    assert not (tmp_path / "letters.db").exists()
    store = make_store(settings, SystemClock())
    await store.open()
    dead = await die(store.turns, message("\x1b]0;evil\x07 你好 [bold]", bot="gone"))
    await store.close()
    assert dead in await done("list", folder=tmp_path)
    terminal = Console(file=io.StringIO(), force_terminal=True, width=60)
    await run(settings, Wish("list"), terminal)
    assert isinstance(terminal.file, io.StringIO)
    assert dead in terminal.file.getvalue(), "an id is there to be copied"
    shown = await done("show", dead, folder=tmp_path)
    assert "\N{REPLACEMENT CHARACTER}]0;evil\N{REPLACEMENT CHARACTER} 你好 [bold]" in shown
    assert "\x1b" not in shown, "a terminal obeys nobody's message"
    assert "no bot 'gone' of slack" in await refused("retry", dead, folder=tmp_path)


async def test_what_only_the_gateway_holds_is_asked_from_it_alone(tmp_path: Path) -> None:
    settings_in(tmp_path, server={"port": 0}, admin={})
    assert "is in the gateway alone" in await refused("list", folder=tmp_path)
    settings_in(tmp_path, server={"port": 0})
    assert "--url" in await refused("list", folder=tmp_path)


@pytest.mark.parametrize(
    ("listens", "asked"),
    [
        ({"server": {"host": "0.0.0.0", "port": 80}}, "http://127.0.0.1:80"),  # noqa: S104 - only read
        ({"server": {"host": "::", "port": 80}}, "http://[::1]:80"),
        ({"admin": {"listen": "[::1]:81", "token": "t"}}, "http://[::1]:81"),
        ({"admin": {"listen": "gateway.internal:81", "token": "t"}}, "http://gateway.internal:81"),
        ({"admin": {"listen": "127.0.0.1:0", "token": "t"}}, None),
    ],
)
def test_a_gateway_is_asked_where_it_listens(
    tmp_path: Path, listens: dict[str, object], asked: str | None
) -> None:
    assert address_of(settings_in(tmp_path, **listens)) == asked  # type: ignore[arg-type]  # sections
