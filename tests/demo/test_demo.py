"""``turnkeeper demo``: it draws what is there, says why when the gateway dies, and passes with the real one."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from gateway.demo.closing import print_report
from gateway.demo.conversations import Conversation
from gateway.demo.gateway_process import Addresses, Credentials, GatewayDiedError, GatewayProcess
from gateway.demo.scene import Report
from gateway.demo.screen import Picture
from gateway.demo.script import load
from gateway.demo.standin import Shown

NOWHERE = Addresses("http://127.0.0.1:9/api/", "http://127.0.0.1:9", "http://127.0.0.1:9/v1")


class Stage:
    def __init__(self) -> None:
        script = load()
        self.conversations = [Conversation.of("Slack", n, e) for n, e in enumerate(script.slack)]
        self.conversations += [Conversation.of("Lark", n, e) for n, e in enumerate(script.lark)]
        self.started_at = time.time()
        self.killed_at = 0.0
        self.back_at = 0.0
        for conversation in self.conversations:
            first = conversation.turns[0]
            first.sent_at = self.started_at
            half = first.answer[: len(first.answer) // 2]
            conversation.saw(bot_message(half, streaming=True), self.started_at + 1)


def bot_message(text: str, *, ts: str = "1", streaming: bool = False) -> Shown:
    return Shown(ts, "C", "bot", "B", 0.0, text=text, streaming=streaming)


def drawn(what: object, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, record=True)
    console.print(what)
    return console.export_text().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 50), (120, 40), (200, 60)])
def test_the_picture_fits_the_terminal_and_shows_everybody(width: int, height: int) -> None:
    stage = Stage()
    stage.killed_at, stage.back_at = stage.started_at, stage.started_at + 0.5
    lines = drawn(Picture(stage), width, height)
    assert len(lines) <= height
    assert all(conversation.person in "\n".join(lines) for conversation in stage.conversations)
    assert "20 growing" in lines[0]
    assert "killed" in lines[0]


def test_a_conversation_knows_which_reply_a_message_belongs_to() -> None:
    conversation = Stage().conversations[0]
    first, second = conversation.turns
    assert conversation.saw(bot_message(first.answer, streaming=True), 2.0) is None
    assert conversation.saw(bot_message(first.answer), 3.0) == "reply 1 is complete"
    assert conversation.saw(bot_message(second.answer[:9], ts="2"), 4.0) == "reply 2 begins to show"
    assert conversation.saw(bot_message(second.answer, ts="2"), 5.0) == "reply 2 is complete"
    assert (first.done_at, second.first_text_at, second.done_at) == (3.0, 4.0, 5.0)
    assert conversation.done


def test_the_report_tells_every_fault() -> None:
    assert Report(Stage().conversations, killed=False).good
    report = Report(Stage().conversations, killed=False)
    report.faults["Slack Ann"] = ["the reply to 'b' stands before the reply to 'a'"]
    report.complaints = ["Slack: chat.update on C1/1: streaming_state_conflict"]
    assert not report.good
    console = Console(width=80, file=io.StringIO(), record=True)
    print_report(console, report)
    text = console.export_text()
    assert "Slack Ann: the reply to 'b' stands before" in text
    assert "streaming_state_conflict" in text
    assert "1 conversations with faults, 1 complaints" in text


async def test_a_gateway_that_dies_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, Credentials(), NOWHERE) as gateway:
        (tmp_path / "turnkeeper.yaml").write_text("bots: 7\n")
        with pytest.raises(GatewayDiedError, match="ended by itself, with exit code 1") as caught:
            await gateway.start()
    assert "bots" in caught.value.log


def test_every_question_is_asked_once() -> None:
    script = load()
    questions = [q for e in (*script.slack, *script.lark) for q in (e.asks, e.asks_then)]
    assert len(set(questions)) == len(questions) == 40


@pytest.mark.parametrize("how", [(), ("--chaos",)], ids=["calm", "chaos"])
async def test_the_demo_passes(how: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", *how, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text[-3000:]
    assert "All 40 messages got exactly one complete reply" in text
    assert ("SIGKILL" in text) == bool(how)
