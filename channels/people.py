"""Names of people, asked of the platform seldom and remembered for a while.

Invariants:

- of any number of questions about one person at once, one goes to the platform;
- a platform that refuses, or whose limit is reached, is left alone for a while; that costs a name, nothing else;
- what is remembered is bounded, in number and in time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from channels.budget import Limit
from conversation.outbound import DeliveryDelayedError, DeliveryError, DeliveryRefusedError
from conversation.source import ASKED_WITHIN

REMEMBERED = 5_000
NAME_HOLDS = 6 * 3600.0
"""Seconds for which a name is not asked again: people change theirs seldom."""

REFUSAL_HOLDS = 600.0
"""Seconds for which nobody's name is asked after the app was refused: a scope has to be granted first."""

MOST_ASKED = 20
FULL_HOLDS = 1.0
AWAY_HOLDS = 30.0
UNKNOWN_HOLDS = 3600.0
LONGEST_NAME = 60


class NotAllowedError(Exception):
    """The app may not ask for names at all."""


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    until: float


class Names:
    """By the platform's id, of one kind of thing in one workspace or tenant.

    ``ask`` returns a name, empty for one that the platform does not know; it raises NotAllowedError and
    DeliveryError.
    """

    def __init__(self, limit: Limit, ask: Callable[[str], Awaitable[str]]) -> None:
        self._limit = limit
        self._ask = ask
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[str, asyncio.Task[str]] = {}
        self._quiet_until = 0.0

    async def of(self, ids: Iterable[str]) -> dict[str, str]:
        """Names of as many of these as are known within ASKED_WITHIN; MOST_ASKED are asked for at once."""
        wanted = tuple(dict.fromkeys(ids))
        waiting = [
            self._task(id) for id in wanted[:MOST_ASKED] if self._current(id) is None and self._may_ask
        ]
        if waiting:
            await asyncio.wait(waiting, timeout=ASKED_WITHIN)
        found = ((id, self._current(id)) for id in wanted)
        return {id: known.name for id, known in found if known is not None and known.name}

    async def close(self) -> None:
        tasks = tuple(self._asked.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def _may_ask(self) -> bool:
        return asyncio.get_running_loop().time() >= self._quiet_until

    def _current(self, id: str) -> _Known | None:
        known = self._known.get(id)
        return known if known is not None and known.until > asyncio.get_running_loop().time() else None

    def _task(self, id: str) -> asyncio.Task[str]:
        task = self._asked.get(id)
        if task is None:
            task = self._asked[id] = asyncio.create_task(self._find(id), name="name of a person")
            task.add_done_callback(lambda _: self._asked.pop(id, None))
        return task

    async def _find(self, id: str) -> str:
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                if not await self._limit.try_take():
                    self._be_quiet(FULL_HOLDS)  # an answer does not wait for names
                    return ""
                name = await self._ask(id)
        except NotAllowedError:
            self._be_quiet(REFUSAL_HOLDS)
            return ""
        except DeliveryRefusedError:
            name = ""
        except DeliveryDelayedError as error:
            self._be_quiet(max(error.delay, AWAY_HOLDS))
            return ""
        except (DeliveryError, TimeoutError):
            self._be_quiet(AWAY_HOLDS)
            return ""
        self._remember(id, name, NAME_HOLDS if name else UNKNOWN_HOLDS)
        return name

    def _be_quiet(self, seconds: float) -> None:
        self._quiet_until = asyncio.get_running_loop().time() + seconds

    def _remember(self, id: str, name: str, seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        self._known[id] = _Known(one_line(name), until)
        self._known.move_to_end(id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def one_line(name: str) -> str:
    """A name as it may stand before what its owner says: people choose theirs themselves."""
    plain = "".join(" " if one in "<>:()@" or not one.isprintable() else one for one in name)
    return " ".join(plain.split())[:LONGEST_NAME]
