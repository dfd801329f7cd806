"""An event loop whose time jumps: when everybody waits, the clock moves to the next timer at once.

For tests of pace, back-off and timeouts without any real waiting. Only for code that does no real I/O; the
writer thread of SQLite and real sockets belong to an ordinary loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""What the wall clock of these tests shows at the start, in seconds since 1970."""


class _JumpingSelector(selectors.SelectSelector):
    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and for nothing that time could bring"
            self.jumped += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def work(self, seconds: float) -> None:
        """Let the caller take so long, during which nobody else gets anything done."""
        self._jumping.jumped += seconds

    def time(self) -> float:
        return self._jumping.jumped


class LoopClock:
    """A wall clock that shows the running loop's time."""

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
