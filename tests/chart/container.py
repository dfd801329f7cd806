"""A container without a container engine: namespaces of its own, a root that nobody can write, a user without rights.

The root is made of this machine's ``/usr`` and Python, as the image itself cannot be built here; user, command,
environment and folder are those of the Dockerfile. Network, processes and mounts are its own, so that the gateway has
the ports that the chart gives it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chart.tools import ROOT, output

_ENTER = Path(__file__).parent / "container.sh"
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork")


@dataclass(frozen=True, slots=True)
class Image:
    """The last stage of the Dockerfile."""

    user: str
    folder: str
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    health: tuple[str, ...]
    labels: Mapping[str, str]


def image() -> Image:
    found: dict[str, str] = {}
    environment: dict[str, str] = {}
    labels: dict[str, str] = {}
    for line in instructions():
        name, _, rest = line.partition(" ")
        match name:
            case "FROM":
                found, environment, labels = {}, {}, {}
            case "ENV" | "LABEL":
                pairs = re.findall(r'([\w.]+)=("[^"]*"|\S*)', rest)
                (environment if name == "ENV" else labels).update(
                    (key, text.strip('"')) for key, text in pairs
                )
            case _:
                found[name] = rest
    return Image(
        user=found["USER"],
        folder=found["WORKDIR"],
        environment=environment,
        entrypoint=tuple(json.loads(found["ENTRYPOINT"])),
        command=tuple(json.loads(found["CMD"])),
        health=tuple(json.loads(found["HEALTHCHECK"].partition("CMD ")[2])),
        labels=labels,
    )


def instructions() -> list[str]:
    """Of the Dockerfile, each in one line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    return [re.sub(r"\\\n\s*", " ", line) for line in re.findall(r"(?:.*\\\n)*.+", text)]


class Container:
    def __init__(self, process: Process, first: int, user: str, environment: Mapping[str, str]) -> None:
        self._process = process
        self._first = first
        self._user = user
        self._environment = environment

    async def run(self, *command: str) -> tuple[int, str]:
        """A command inside, as the container's user; its exit code and output."""
        uid, _, gid = self._user.partition(":")
        variables = (f"{name}={value}" for name, value in self._environment.items())
        inside = await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={self._first}", "--mount", "--net", "--pid", "--root", "--wd"),
            *(f"--setuid={uid}", f"--setgid={gid}", "env", "-i", *variables, *command),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
        )
        told, _ = await inside.communicate()
        return inside.returncode or 0, told.decode()

    async def until(self, *command: str, within: float = 30) -> None:
        """Run it until it succeeds."""
        told = "it was not run"
        try:
            async with asyncio.timeout(within):
                while (answer := await self.run(*command))[0] != 0:
                    told = answer[1]
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s: {told}") from None

    async def end(self) -> tuple[int, str]:
        """Wait for its first process; the exit code and all that it said."""
        told, _ = await self._process.communicate()
        return self._process.returncode or 0, told.decode()

    async def stop(self) -> tuple[int, str]:
        """SIGTERM to its first process, and wait for it."""
        os.kill(self._first, signal.SIGTERM)
        return await self.end()


@asynccontextmanager
async def container(
    files: Mapping[str, str],
    writable: tuple[str, ...],
    folder: Path,
    *,
    arguments: tuple[str, ...] | None = None,
    command: tuple[str, ...] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Container]:
    """Start the image with these files, by their paths, and with these folders writable and empty. ``arguments`` and
    ``command`` are Kubernetes' args and command.

    Skips where this machine does not let a test make namespaces.
    """
    one = image()
    for path, content in files.items():
        here = folder / path.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text(content, encoding="utf-8")
    # What runs is this clone, with this environment's packages.
    path = one.environment["PATH"].replace("/opt/turnkeeper/bin", f"{sys.prefix}/bin")
    path = path.replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
    variables = {**one.environment, **(environment or {}), "PATH": path, "PYTHONPATH": str(ROOT)}
    uid, _, gid = one.user.partition(":")
    _require_namespaces()
    process = await asyncio.create_subprocess_exec(
        # Whoever starts it takes it along, however that one ends.
        *("setpriv", "--pdeathsig=KILL", *_NAMESPACES, "sh", str(_ENTER)),
        *(str(folder), uid, gid, one.folder, *(command or (*one.entrypoint, *(arguments or one.command)))),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={
            "PATH": os.environ["PATH"],
            "READABLE": " ".join(map(str, _outermost(ROOT, Path(sys.prefix), Path(sys.base_prefix)))),
            "WRITABLE": " ".join(writable),
            "VARIABLES": "\n".join(f"{name}={value}" for name, value in variables.items()),
        },
    )
    first = await _first(process)
    try:
        yield Container(process, first, one.user, variables)
    finally:
        if process.returncode is None:
            # Not the process that waits for it: its kill reaches nobody who has changed users.
            os.kill(first, signal.SIGKILL)
            await process.communicate()


def _outermost(*folders: Path) -> list[Path]:
    """Without those that lie inside of another: mounted before it they would be hidden by it."""
    return sorted({one for one in folders if not any(other in one.parents for other in folders)})


async def _first(process: Process) -> int:
    """Of the processes inside, the one that has number 1 there."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    async with asyncio.timeout(10):
        while not (found := children.read_text().split()):
            await asyncio.sleep(0.01)
    return int(found[0])


def _require_namespaces() -> None:
    for program in ("unshare", "nsenter", "setpriv", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the container cannot be tried")
    code, told = output(*_NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    if code != 0:
        pytest.skip(f"this machine lets nobody make the namespaces of a container: {told.strip()}")
