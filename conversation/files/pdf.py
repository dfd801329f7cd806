"""The text of a PDF, taken out by another process: it may take long, and much memory, and must harm nobody.

Invariants: at most ``AT_ONCE`` such processes run; each is bounded in memory, processor time and time, and is gone
when ``text`` returns, however that happens. It is given no environment, so no secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

AT_ONCE = 2
SECONDS = 20.0
LONGEST_TEXT = 400_000
"""Characters that are taken out at most."""

_CHILD = Path(__file__).with_name("pdf_child.py")
_LONGEST_ANSWER = 4 * LONGEST_TEXT


class PdfReader:
    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._room = asyncio.Semaphore(AT_ONCE)

    async def text(self, data: bytes) -> str | None:
        """None where nothing could be read within the bounds. A PDF of scanned pages has an empty text."""
        async with self._room:
            return await self._read(data)

    async def _read(self, data: bytes) -> str | None:
        # -I and -S would hide the environment's packages; -P keeps our own folder out of the way of its imports.
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-s",
            str(_CHILD),
            str(LONGEST_TEXT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            limit=_LONGEST_ANSWER,
        )
        try:
            async with asyncio.timeout(self._seconds):
                text, _ = await child.communicate(data)
        except TimeoutError:
            return None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return text.decode("utf-8", "replace") if child.returncode == 0 else None
