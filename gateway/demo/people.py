"""How a platform delivers what a person said: signed webhooks, retries on its schedule, duplicates.

``Postman`` owns every delivery that is still to come; ``settle()`` waits for them, ``close()`` cancels them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field

import aiohttp

ACK_DEADLINE = 3.0
"""Seconds for a 2xx answer, on both platforms."""

TIMER_SLACK = 0.05
"""Seconds by which two clocks may disagree about the deadline."""

NO_ANSWER = 0
"""The status of a delivery that was not answered: refused, reset or too late."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt. ``took`` in seconds; ``admission`` is the X-Turnkeeper-Admission header."""

    event_type: str
    event_id: str
    attempt: int
    at: float
    took: float
    status: int
    admission: str


@dataclass(slots=True)
class Said:
    """What a person said. ``ts`` as in Shown; ``thread`` is where an answer belongs, if in a thread."""

    ts: str
    chat: str
    thread: str | None
    user: str
    text: str
    at: float
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def statuses(self) -> list[int]:
        return [delivery.status for delivery in self.deliveries]

    @property
    def admissions(self) -> list[str]:
        return [delivery.admission for delivery in self.deliveries]

    @property
    def accepted(self) -> bool:
        return "accepted" in self.admissions


@dataclass(frozen=True, slots=True)
class Letter:
    """One event for one URL. ``sealed(attempt, reason)`` gives headers and body of the n-th attempt (from 0)."""

    url: str
    event_type: str
    event_id: str
    sealed: Callable[[int, str], tuple[dict[str, str], bytes]]


Carry = Callable[[str, dict[str, str], bytes], Awaitable[tuple[int, str, bytes] | None]]
"""Another way than HTTP for an attempt, with what ``Postman.post`` returns; None: it goes by HTTP."""

Route = Callable[[str], str]
"""Where an attempt goes: what stands in front of several gateways gives each the address of one of them."""


def straight(url: str) -> str:
    """To where the letter is addressed."""
    return url


class Postman:
    """Delivers letters. ``redeliver_within``: the seconds in which the extra duplicate of each event comes."""

    def __init__(
        self,
        *,
        retry_delays: Sequence[float],
        redeliver: bool,
        redeliver_within: tuple[float, float],
        complain: Callable[[str], None],
        chance: random.Random,
        route: Route = straight,
        carry: Carry | None = None,
    ) -> None:
        self._carry = carry
        self._retry_delays = tuple(retry_delays)
        self._redeliver = redeliver
        self._redeliver_within = redeliver_within
        self._complain = complain
        self._chance = chance
        self._route = route
        self._session: aiohttp.ClientSession | None = None
        self._later: set[asyncio.Task[None]] = set()

    async def deliver(self, letter: Letter, said: Said | None = None) -> Delivery:
        """Make the first attempt. What must follow (retries or a duplicate) happens on its own."""
        first = await self._attempt(letter, 0, "", said)
        if not _fine(first):
            self._plan(self._retry(letter, said))
        elif self._redeliver:
            self._plan(self._duplicate(letter, said))
        return first

    async def deliver_all(self, letters: Sequence[Letter], said: Said) -> None:
        """Deliver at once; returns when all first attempts have been answered."""
        await asyncio.gather(*(self.deliver(letter, said) for letter in letters))

    def deliver_later(self, letter: Letter) -> None:
        """Deliver the bot's own doing. Complains if it is taken for a person's message."""
        self._plan(self._deliver_own(letter))

    async def settle(self) -> None:
        """Wait until nothing is left to deliver."""
        while self._later:
            await asyncio.wait(self._later)

    async def close(self) -> None:
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Send once: status, admission and body; NO_ANSWER if none came in time."""
        if self._carry is not None and (carried := await self._carry(url, headers, body)) is not None:
            return carried
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=ACK_DEADLINE)
            )
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, answer.headers.get("X-Turnkeeper-Admission", ""), await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return NO_ANSWER, "", b""

    async def _attempt(self, letter: Letter, attempt: int, reason: str, said: Said | None) -> Delivery:
        headers, body = letter.sealed(attempt, reason)
        at = time.time()
        started = time.perf_counter()
        status, admission, _ = await self.post(self._route(letter.url), headers, body)
        took = time.perf_counter() - started
        if took >= ACK_DEADLINE - TIMER_SLACK:
            self._complain(
                f"{letter.event_type} {letter.event_id} was not acknowledged within {ACK_DEADLINE:g} s"
            )
        delivery = Delivery(letter.event_type, letter.event_id, attempt, at, took, status, admission)
        if said is not None:
            said.deliveries.append(delivery)
        return delivery

    async def _retry(self, letter: Letter, said: Said | None) -> None:
        for number, delay in enumerate(self._retry_delays, start=1):
            await asyncio.sleep(delay)
            if _fine(await self._attempt(letter, number, "http_error", said)):
                return

    async def _duplicate(self, letter: Letter, said: Said | None) -> None:
        await asyncio.sleep(self._chance.uniform(*self._redeliver_within))
        await self._attempt(letter, 1, "http_timeout", said)

    async def _deliver_own(self, letter: Letter) -> None:
        delivery = await self._attempt(letter, 0, "", None)
        if delivery.admission == "accepted":
            self._complain(
                f"{letter.event_type} {letter.event_id}, the bot's own post, was accepted as a message"
            )

    def _plan(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _fine(delivery: Delivery) -> bool:
    return 200 <= delivery.status < 300  # noqa: PLR2004 -- HTTP's own numbers
