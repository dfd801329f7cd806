"""Slack's side, as a process: signs distinct direct messages beforehand, then sends them as fast as they are
answered, or spread over a time. Prints what came back as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast
from urllib.parse import urlsplit

import uvloop

from gateway.demo.slack_events import Workspace, message_event, sealed
from gateway.demo.standin import Shown
from tests.benchmarks.processes import ROOT, SIGNING_SECRET

TEXT = "Could you please tell me how the turns of one conversation are kept in order?"


@dataclass(frozen=True)
class Sent:
    """``admissions`` counts the answers by X-Turnkeeper-Admission; latencies in milliseconds."""

    answers: int
    admissions: dict[str, int]
    seconds: float
    median: float
    p99: float


def send(
    url: str,
    bots: Sequence[str],
    *,
    events: int,
    chats: int,
    first_chat: int = 0,
    connections: int = 32,
    spread: float = 0.0,
) -> Sent:
    """Run the process. Event n is in chat n modulo ``chats``; chat n belongs to bot n modulo their number.

    Fails unless every event was answered 200.
    """
    arguments = {
        "url": url,
        "bots": ",".join(bots),
        "events": events,
        "chats": chats,
        "first-chat": first_chat,
        "connections": connections,
        "spread": spread,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load", *(f"--{k}={v}" for k, v in arguments.items())],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    sent = Sent(**json.loads(done.stdout))
    assert sent.answers == events
    return sent


class _Connection(asyncio.Protocol):
    """Sends one request after the other, each after the answer to the one before."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def next(self) -> None:
        run = self._run
        if not run.waiting:
            run.idle(self)
            return
        due, request = run.waiting.popleft()
        if (early := due - time.perf_counter()) > 0:
            run.loop.call_later(early, self._write, request)
        else:
            self._write(request)

    def _write(self, request: bytes) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(headers.get(b"content-length", b"0")):
            return
        self._buffer = b""
        self._run.answered(head, headers, time.perf_counter() - self._sent_at)
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.idle(self)


class _Run:
    def __init__(self, requests: Sequence[bytes], spread: float) -> None:
        self.loop = asyncio.get_running_loop()
        start = time.perf_counter()
        step = spread / len(requests)
        self.waiting = deque((start + number * step, request) for number, request in enumerate(requests))
        self.latencies: list[float] = []
        self.admissions: Counter[str] = Counter()
        self._busy: set[_Connection] = set()
        self._done = asyncio.Event()

    def answered(self, head: bytes, headers: dict[bytes, bytes], took: float) -> None:
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(head.decode())
        self.latencies.append(took)
        self.admissions[headers.get(b"x-turnkeeper-admission", b"").decode()] += 1

    def idle(self, connection: _Connection) -> None:
        self._busy.discard(connection)
        if not self._busy:
            self._done.set()

    async def run(self, host: str, port: int, connections: int) -> None:
        for _ in range(connections):
            _, connection = await self.loop.create_connection(lambda: _Connection(self), host, port)
            self._busy.add(connection)
        for connection in tuple(self._busy):
            connection.next()
        await self._done.wait()


def _requests(arguments: argparse.Namespace) -> list[bytes]:
    bots = arguments.bots.split(",")
    now = time.time()
    requests = []
    for number in range(arguments.events):
        chat = arguments.first_chat + number % arguments.chats
        bot = bots[chat % len(bots)]
        workspace = Workspace(f"T{bot.upper()}", "A0", "U0BOT", "B0BOT", SIGNING_SECRET, time.time)
        at = now + number * 1e-6
        shown = Shown(f"{at:.6f}", f"D{chat:08d}", "person", f"U{chat:08d}", at)
        event = message_event(shown, "im", f"{TEXT} #{number}", workspace.team)
        headers, body = sealed(workspace, event, f"Ev{number:08d}")(0, "")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST /webhooks/slack/{bot} HTTP/1.1\r\nHost: bots.example.com\r\nAccept: */*\r\n"
            "User-Agent: Slackbot 1.0 (+https://api.slack.com/robots)\r\nAccept-Encoding: gzip,deflate\r\n"
            f"{lines}Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def _main(arguments: argparse.Namespace) -> Sent:
    run = _Run(_requests(arguments), arguments.spread)
    started = time.perf_counter()
    address = urlsplit(arguments.url)
    await run.run(str(address.hostname), int(address.port or 80), arguments.connections)
    took = time.perf_counter() - started
    percentiles = statistics.quantiles(run.latencies, n=100)
    return Sent(len(run.latencies), dict(run.admissions), took, percentiles[49] * 1e3, percentiles[98] * 1e3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--bots", required=True)
    for name in ("--events", "--chats", "--first-chat", "--connections"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--spread", type=float, required=True)
    print(json.dumps(asdict(uvloop.run(_main(parser.parse_args())))))
