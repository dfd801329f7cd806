"""What a test may do to a stand-in's methods: let calls fail, or hold them back.

A held call takes effect when it is released, even if its client is gone by then: that is how the late write of
a stopped process looks to a platform.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

How = Literal["timeout_before_effect", "timeout_after_effect", "drop_before_effect", "drop_after_effect"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One call's misfortune: an HTTP status, an error of the platform, or silence."""

    how: How | None = None
    status: int | None = None
    error: str | int | None = None
    retry_after: int | None = None


class Hold:
    """Holds back the calls of one method while its ``async with`` lasts or until ``release()``.

    ``callers``: the address that each of them came from.
    """

    def __init__(self, holds: dict[str, list[Hold]], method: str, most: float) -> None:
        self._holds = holds
        self._method = method
        self._most = most
        self._reached = asyncio.Event()
        self._released = asyncio.Event()
        self.waiting = 0
        self.callers: list[str] = []

    async def __aenter__(self) -> Self:
        self._holds[self._method].append(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def reached(self) -> None:
        """Return when a call is being held back."""
        await self._reached.wait()

    def release(self) -> None:
        """Let the held calls go on, and hold no further ones."""
        self._released.set()
        self._catch_no_more()

    async def pass_through(self, caller: str) -> None:
        self.waiting += 1
        self.callers.append(caller)
        if len(self.callers) >= self._most:
            self._catch_no_more()
        self._reached.set()
        try:
            await self._released.wait()
        finally:
            self.waiting -= 1

    def _catch_no_more(self) -> None:
        if self in self._holds[self._method]:
            self._holds[self._method].remove(self)


class Faults:
    """What is arranged for the next calls of each method."""

    def __init__(self) -> None:
        self._planned: dict[str, deque[Fault]] = defaultdict(deque)
        self._holds: dict[str, list[Hold]] = defaultdict(list)

    def plan(self, method: str, fault: Fault, times: int) -> None:
        self._planned[method].extend([fault] * times)

    def next_for(self, method: str) -> Fault | None:
        planned = self._planned[method]
        return planned.popleft() if planned else None

    def hold(self, method: str, most: float) -> Hold:
        return Hold(self._holds, method, most)

    async def held(self, method: str, caller: str) -> None:
        """Return when nobody holds this call of the method back any more."""
        while holds := self._holds[method]:
            await holds[0].pass_through(caller)

    def release_all(self) -> None:
        for holds in self._holds.values():
            for hold in tuple(holds):
                hold.release()
