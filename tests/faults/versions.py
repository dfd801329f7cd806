"""The code of an earlier version, out of this clone's history."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from conversation.stores.redis.house import LAYOUT

ROOT = Path(__file__).parents[2]
_CODE = ("gateway", "conversation", "channels")
_HOUSE = "conversation/stores/redis/house.py"

FIRST = "d2178ad40fdedf78f3f44e6662e99a8f9953e6f2"
"""The commit since which what is stored in Redis is kept readable."""


@dataclass(frozen=True, slots=True)
class Version:
    """``commit`` is a digest, ``name`` its tag or subject."""

    commit: str
    name: str

    def unpack(self, folder: Path) -> Path:
        """The folder with its code. What it imports from others is this environment's."""
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", self.commit, *_CODE], check=True, capture_output=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return folder


def previous() -> Version | None:
    """Which version has to work beside this one: the last that was released, by its tag, if it has the same
    ``LAYOUT``. Before the first release it is ``FIRST``, and where the clone's history does not go so far, the commit
    before this one. None where there is none: no git, or a clone without history.
    """
    tags = _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD~1")
    for name in (*tags, FIRST, "HEAD~1"):
        if _layout(name) == LAYOUT:
            commit = _git("rev-parse", f"{name}^{{commit}}")[0]
            return Version(commit, name if name in tags else _git("log", "-1", "--format=%s", commit)[0])
    return None


def _layout(commit: str) -> int | None:
    found = re.search(r"^LAYOUT = (\d+)$", "\n".join(_git("show", f"{commit}:{_HOUSE}")), re.MULTILINE)
    return None if found is None else int(found[1])


def _git(*arguments: str) -> list[str]:
    """Its lines; none where it fails, or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
