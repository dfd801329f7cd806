"""Holding on to a claim while the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from conversation.stores.port import StoreUnavailableError

_log = structlog.get_logger()

T = TypeVar("T")

_LONGEST_PAUSE = 5.0


async def persistently(step: Callable[[], Awaitable[T]]) -> T:
    """Repeat a store operation until the store is there again: the work behind it is not done a second time.

    Every other error, ClaimLostError above all, ends the waiting.
    """
    pause = 0.25
    while True:
        try:
            return await step()
        except StoreUnavailableError as error:
            if pause < _LONGEST_PAUSE:  # not for as long as the outage lasts
                _log.warning("store unavailable", cause=str(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
