"""Many long answers at once, against a plain Bolt bot and against a program that only reads them."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.benchmarks.answer import answer_tokens
from tests.benchmarks.load import send
from tests.benchmarks.processes import ROOT, Server, gateway, running, wait_until
from tests.benchmarks.tables import compare

INTERVAL = 0.02
BOTS = tuple(f"bot{number}" for number in range(20))
"""Each in a workspace of its own, so that every answer is edited as often as Slack advises: each 3 s."""


@pytest.mark.timeout(900)
def test_cpu_of_many_streams_at_once(full: bool, tmp_path: Path) -> None:
    rounds, streams, tokens, spread = (5, 200, 200, 1.0) if full else (1, 20, 10, 0.1)
    cpu: dict[str, list[float]] = defaultdict(list)
    durations: list[float] = []
    calls: dict[str, float] = {}
    answer = "".join(answer_tokens(tokens))

    def answered(slack: Server, name: str) -> None:
        shown = slack.report()
        assert shown["messages"] == shown["chats"] == streams
        assert shown["texts"] == [answer]
        calls[name] = sum(shown["calls"].values()) / streams

    def by_gateway(folder: Path) -> float:
        with (
            running("slack") as slack,
            running("model", f"--tokens={tokens}", f"--interval={INTERVAL}") as model,
            gateway(folder, slack=slack, model=model, bots=BOTS) as here,
        ):
            before = here.cpu()
            send(here.url, BOTS, events=streams, chats=streams, spread=spread)
            wait_until(lambda: here.completed() == streams)
            used = here.cpu() - before
            assert here.warnings() == []
            answered(slack, "gateway")
            durations.extend(model.report()["durations"])
            return used

    def by_plain_bot(*options: str) -> float:
        with (
            running("slack") as slack,
            running(
                "bolt_bot", f"--slack={slack.url}", f"--tokens={tokens}", f"--interval={INTERVAL}", *options
            ) as bot,
        ):
            before = bot.cpu()
            send(bot.url, BOTS, events=streams, chats=streams, spread=spread)
            wait_until(lambda: slack.report()["complete"] == streams)
            used = bot.cpu() - before
            answered(slack, "plain Bolt bot")
            return used

    def by_reader() -> float:
        with running("model", f"--tokens={tokens}", f"--interval={INTERVAL}") as model:
            return _reader_cpu(streams, f"--model={model.url}", f"--tokens={tokens}", f"--spread={spread}")

    for number in range(rounds):
        cpu["plain Bolt bot"].append(by_plain_bot())
        if full:
            cpu["plain Bolt bot on uvloop"].append(by_plain_bot("--uvloop"))
        cpu["gateway"].append(by_gateway(tmp_path / str(number)))
        cpu["bare SSE reader"].append(by_reader())
    print(f"\n{streams} conversations, {tokens} tokens each, one every {INTERVAL * 1e3:g} ms; an answer took")
    print(f"{median(durations):.2f} s (longest {max(durations):.2f} s); Slack calls per answer: {calls}")
    compare("CPU of all streams", "s", cpu, to="plain Bolt bot", goals={"gateway": 0.8})
    compare("CPU of all streams", "s", cpu, to="bare SSE reader", goals={"gateway": 1.3})


def _reader_cpu(streams: int, *arguments: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.sse_reader", f"--streams={streams}", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        before = psutil.Process(reader.pid).cpu_times()
        print("go", file=reader.stdin, flush=True)
        assert int(reader.stdout.readline()) == streams
        after = psutil.Process(reader.pid).cpu_times()
        print("stop", file=reader.stdin, flush=True)
    return (after.user + after.system) - (before.user + before.system)
