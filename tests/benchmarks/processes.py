"""The processes of a benchmark: started, told where they serve, measured from outside, ended with their block.

Invariant: CPU is user and system time of the whole process, all threads, as the kernel counts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import yaml

ROOT = Path(__file__).parents[2]
WITHIN = 120.0

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds since its start."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def report(self) -> dict[str, Any]:  # Any: each server reports what it counts
        """What the server says about its work."""
        with urllib.request.urlopen(f"{self.url}/report", timeout=10) as answer:  # noqa: S310 - loopback
            return dict(json.loads(answer.read()))


@contextmanager
def running(module: str, *arguments: str) -> Iterator[Server]:
    """A module of this folder that serves, and prints its URL once it does."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert url, f"{module} did not start"
        yield Server(url, process)
    finally:
        _end(process)


@dataclass(frozen=True)
class Gateway(Server):
    log: Path

    def completed(self) -> int:
        """Turns that are completed in the store."""
        return self.log.read_bytes().count(b'"turn completed"')

    def warnings(self) -> list[str]:
        lines = [orjson.loads(line) for line in self.log.read_bytes().splitlines()]
        return [str(line) for line in lines if line["level"] != "info"]


@contextmanager
def gateway(
    folder: Path, *, slack: Server, model: Server, bots: Sequence[str], **limits: int
) -> Iterator[Gateway]:
    """``turnkeeper serve`` on a fresh SQLite file, with one Slack bot per workspace."""
    folder.mkdir(parents=True)
    config, log = folder / "turnkeeper.yaml", folder / "gateway.log"
    config.write_text(yaml.safe_dump(_settings(folder, slack, model, bots, limits)), encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    try:
        wait_until(lambda: b'"ready"' in log.read_bytes() or process.poll() is not None)
        ready = next((line for line in log.read_bytes().splitlines() if b'"ready"' in line), None)
        assert ready is not None, log.read_text(encoding="utf-8")
        yield Gateway(orjson.loads(ready)["url"], process, log)
    finally:
        _end(process)


def _settings(
    folder: Path, slack: Server, model: Server, bots: Sequence[str], limits: dict[str, int]
) -> dict[str, object]:
    return {
        "server": {"host": "127.0.0.1", "port": 0},
        "store": {"url": f"sqlite:///{folder / 'turnkeeper.db'}"},
        "drain": "0s",
        "limits": limits,
        "agents": [
            {
                "id": "default",
                "provider": "openai",
                "model": "held",
                "base_url": f"{model.url}/v1",
                "api_key": "sk-benchmark",
            }
        ],
        "bots": [
            {
                "id": bot,
                "channel": "slack",
                "agent": "default",
                "api_base_url": f"{slack.url}/api/",
                "credentials": {"signing_secret": SIGNING_SECRET, "bot_token": f"xoxb-{bot}"},
            }
            for bot in bots
        ],
    }


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again, seldom enough not to disturb what is measured."""
    give_up = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < give_up, "the work was not done in time"
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
