"""The process of the long connection is started, fed, watched, restarted and drained."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from channels.lark.long_connection import LongConnection
from channels.lark.verify import LarkCredentials, Opened, Verifier
from channels.port import Reply
from channels.received import WebhookRequest
from conversation.clock import SystemClock

OTHER = Path(__file__).with_name("other_child.py")
CREDENTIALS = LarkCredentials("cli_1", "secret", "key", "token")
VERIFIER = Verifier(CREDENTIALS)


def connection(does: str) -> LongConnection:
    command = (sys.executable, str(OTHER), does)
    return LongConnection("assistant", CREDENTIALS, VERIFIER, "http://127.0.0.1:1", SystemClock(), command)


class Pipeline:
    """Takes what it is given; ``status`` says how."""

    def __init__(self, status: int = 200, gate: asyncio.Event | None = None) -> None:
        self.taken: list[int] = []
        self.status = status
        self.gate = gate

    async def __call__(self, request: WebhookRequest) -> Reply:
        opened = VERIFIER.open(request)
        assert isinstance(opened, Opened)
        assert opened.flaw == ""
        event = json.loads(opened.payload)
        assert event["header"]["token"] == "token", "as the webhook that it would have been"
        if self.gate is not None:
            await self.gate.wait()
        self.taken.append(event["number"])
        return Reply(self.status, b"{}")


async def until(told: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not told():
            await asyncio.sleep(0.01)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


@pytest.mark.parametrize("status", [200, 503])
async def test_what_arrives_goes_through_the_pipeline_and_its_answer_goes_back(
    status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline(status)
    running = asyncio.create_task(connection("events").run(pipeline))
    await until(lambda: len(pipeline.taken) == 3)
    heard = ""

    def answered() -> bool:
        nonlocal heard
        heard += capfd.readouterr().out
        return all(f"answered {number} {status}" in heard for number in (1, 2, 3))

    await until(answered)
    await ended(running)


async def test_a_process_that_ends_is_started_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("channels.lark.long_connection.FIRST_RETRY", 0.01)
    running = asyncio.create_task(connection("crash").run(Pipeline()))
    heard = ""

    def often() -> bool:
        nonlocal heard
        heard += capfd.readouterr().out
        return heard.count("long connection ended") >= 3

    await until(often)
    assert "code=7" in heard
    await ended(running)


async def test_why_the_platform_will_not_have_it_is_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    running = asyncio.create_task(connection("refused").run(Pipeline()))
    heard = ""

    def told() -> bool:
        nonlocal heard
        heard += capfd.readouterr().out
        return "code 403" in heard

    await until(told)
    assert "secret" not in heard
    await ended(running)


async def test_a_process_that_stands_still_is_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("channels.lark.long_connection.PING_EVERY", 0.05)
    monkeypatch.setattr("channels.lark.long_connection.DEAD_AFTER", 0.3)
    running = asyncio.create_task(connection("mute").run(Pipeline()))
    heard = ""

    def told() -> bool:
        nonlocal heard
        heard += capfd.readouterr().out
        return "it stood still" in heard

    await until(told)
    await ended(running)


async def test_what_makes_no_sense_is_passed_over() -> None:
    pipeline = Pipeline()
    running = asyncio.create_task(connection("nonsense").run(pipeline))
    await until(lambda: len(pipeline.taken) == 3)
    await ended(running)


async def test_cancelled_it_answers_what_it_took() -> None:
    gate = asyncio.Event()
    pipeline = Pipeline(gate=gate)
    one = connection("drained")
    running = asyncio.create_task(one.run(pipeline))
    await until(lambda: one.connected)
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.sleep(0.05)
    assert not running.done()
    gate.set()
    async with asyncio.timeout(4):
        await asyncio.wait((running,))
    assert sorted(pipeline.taken) == [1, 2, 3]
    assert not one.connected


async def test_without_lark_oapi_nothing_is_started_and_both_log_and_check_name_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    one = LongConnection("assistant", CREDENTIALS, VERIFIER, "http://127.0.0.1:1", SystemClock())
    assert not one.check().ok
    assert "turnkeeper[lark-oapi]" in one.check().detail
    running = asyncio.create_task(one.run(Pipeline()))
    heard = ""

    def told() -> bool:
        nonlocal heard
        heard += capfd.readouterr().out
        return "long connection not started" in heard

    await until(told)
    await ended(running)


PARENT = """
import asyncio, sys
from tests.channels.lark.test_long_connection import *

async def main():
    await LongConnection("a", CREDENTIALS, VERIFIER, "http://127.0.0.1:1", SystemClock()).run(Pipeline())

asyncio.run(main())
"""


async def test_the_real_process_dies_with_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=Path(__file__).parents[3], stdout=asyncio.subprocess.DEVNULL
    )
    children: list[int] = []

    def born() -> bool:
        listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text(encoding="utf-8")
        children[:] = map(int, listed.split())
        return bool(children) and _lives(children[0])  # it runs its own program by now

    try:
        await until(born, 60)
        (child,) = children
        assert b"secret" not in Path(f"/proc/{child}/cmdline").read_bytes()
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
    deadline = time.monotonic() + 30
    while _lives(child) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return b"long_connection_child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


_: Callable[[WebhookRequest], Awaitable[Reply]] = Pipeline()
