"""Waiting for what a real process does: look again and again, never sleep for a guess."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(
    condition: Callable[[], object], within: float, why: Callable[[], object] | None = None
) -> None:
    """Return when the condition holds; fail after so many seconds, saying what is still wrong."""
    try:
        async with asyncio.timeout(within):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s: {why() if why else condition}") from None
