"""What happened in a run, as JSON lines: a failing seed is read here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class History:
    """Written as it happens: a run that breaks off leaves what it had. Times in seconds since 1970."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def note(self, what: str, who: str, *, at: float | None = None, **more: object) -> None:
        """``what`` happened to, or was done by, ``who``."""
        line = {"time": round(at or time.time(), 3), "what": what, "who": who, **more}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
