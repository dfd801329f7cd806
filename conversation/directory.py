"""The conversations that are active in this process: its session, its slots, and what runs in them.

Invariants:

- a slot is taken from before a claim can be granted until its turn has ended, so that at most
  ``max_replies`` run at once;
- every actor is a task of the group in ``run``: none outlives it;
- while the event loop lags nothing is claimed beside what runs, unless nothing does: who waits is better
  off elsewhere, or later;
- while draining nothing new is claimed, what runs may end, and messages are still admitted to the queue;
- what ran under a session that was lost makes no further write, may end the one under way, and tells the store.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import structlog

from conversation import lease
from conversation.busy import Limits, WhenBusy
from conversation.clock import Clock
from conversation.keys import ConversationKey
from conversation.messages import InboundMessage
from conversation.observer import SessionObserver, Unobserved
from conversation.outbound import SEND_TIMEOUT
from conversation.persistence import persistently
from conversation.stop import Stop
from conversation.stores.port import LEASE, Admission, SessionLostError, Stopped, Store, StoreUnavailableError
from conversation.turn import Claim, Reason

RENEW_EVERY = 4.0
"""Seconds: two renewals may fail, and between two of them a lease outlasts a platform call of 10 s."""

SWEEP_EVERY = 1.0
"""Seconds between two looks for due timers and ready conversations that nobody was woken for."""

LATE_SWEEP_EVERY = 0.1
"""The same while the event loop lags: what was left waiting is taken up soon after it has caught up."""

MOST_LAG = 0.25
"""Seconds by which the event loop may be late for turns to be claimed."""

ANSWERS_LATE_AT_MOST = 300.0
"""Seconds for which the epoch of a claim that began here is known: no answer of the store is later than that."""

_log = structlog.get_logger()

RunTurn = Callable[[Claim, Stop], Awaitable[Claim | None]]
"""Runs a claim's turn to its end, which ``Stop`` may hasten, and returns the claim that the freed slot received."""


@dataclass(frozen=True, slots=True)
class _Running:
    claim: Claim
    since: float
    stop: Stop = field(default_factory=Stop)


class Directory:
    """Admits messages and keeps up to ``max_replies`` conversations running while ``run`` runs."""

    def __init__(
        self,
        store: Store,
        run_turn: RunTurn,
        clock: Clock,
        *,
        max_replies: int,
        machine_time: Callable[[], float] = lease.boottime,
        observer: SessionObserver = Unobserved(),  # noqa: B008 - has no state
        lag: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``lag``: seconds by which the event loop is late now."""
        self._observer = observer
        self._lag = lag
        self._store = store
        self._turns = store.turns
        self._run_turn = run_turn
        self._clock = clock
        self._max_replies = max_replies
        self._session = ""
        self._machine_time = machine_time
        self._lease = lease.Lease(machine_time)
        self._renewed_at = self._renewed_by_clock = -math.inf
        self._running: dict[ConversationKey, _Running] = {}
        self._actors: set[asyncio.Task[None]] = set()
        self._reserved = 0
        self._draining = False
        self._closed = False
        self._filling = False
        self._begun: dict[ConversationKey, tuple[int, float]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._look_again = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def running(self) -> int:
        """Turns that run now."""
        return len(self._actors)

    @property
    def running_since(self) -> float:
        """When the turn began that runs longest, by the loop's time; infinite if none runs."""
        return min((running.since for running in self._running.values()), default=math.inf)

    @property
    def accepting(self) -> bool:
        """Started and not draining."""
        return self._tasks is not None and not self._draining

    async def run(self, started: asyncio.Event) -> None:
        """Own the session and the actors until cancelled. Sets ``started`` once messages can be admitted.

        Raises StoreUnavailableError if the store is away at the start.
        """
        await self._open_session()
        if self._store.exclusive:
            taken_over = await self._turns.take_over(self._session)
            if taken_over:
                _log.info("took over the turns of the process before", turns=taken_over)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._store.watch(self._look_again.set, self._renew_soon), name="wake-ups")
            started.set()
            await self._sweep()

    async def admit(
        self,
        message: InboundMessage,
        *,
        limits: Limits,
        when_busy: WhenBusy = "queue",
        refusal: Reason | None = None,
    ) -> Admission:
        """Put a message into its conversation's queue, durably, and start answering if nothing is in the way.

        Raises StoreUnavailableError: the message was not taken, the platform should send it again.
        """
        may_claim = self._free > 0
        self._reserved += may_claim
        try:
            admission = await self._turns.admit(
                message,
                session=self._session,
                may_claim=may_claim,
                limits=limits,
                when_busy=when_busy,
                refusal=refusal,
            )
        finally:
            self._reserved -= may_claim
        self._tell(admission.stopped)
        if admission.claim is not None:
            self._start(admission.claim)
        elif not may_claim and (self._filling or self._is_late):
            self._look_again.set()  # slots that are being filled may turn out free, and a late loop catches up
        return admission

    async def stop(self, key: ConversationKey, request: str, asked_at: float) -> bool:
        """Let the reply that this conversation is writing, or would write next, end; whether there is one that was
        meant at ``asked_at``, by the platform's time. ``request`` names the wish, which counts once. Raises
        StoreUnavailableError.
        """
        return self._tell(await self._turns.stop(key, request, asked_at))

    async def take_back(self, bot: str, turn_id: str) -> bool:
        """The person took this message back: whether that changed anything. Raises StoreUnavailableError."""
        return self._tell(await self._turns.take_back(bot, turn_id))

    async def edit(self, message: InboundMessage) -> bool:
        """The person changed this message: whether it waits, and is answered as it is now. Raises
        StoreUnavailableError.
        """
        return await self._turns.edit(message)

    async def drain(self, grace: float) -> None:
        """Stop claiming, let running replies end for ``grace`` seconds, then put the rest back at the head
        of their queues, to be continued by whoever runs next.
        """
        self._draining = True
        try:
            async with asyncio.timeout(grace):
                await persistently(lambda: self._turns.drain(self._session))
                await self._idle.wait()
        except TimeoutError:
            _log.warning("grace period over: replies are put back", replies=self.running)
        except SessionLostError:
            _log.warning("session lost: everything that ran here is somebody else's", replies=self.running)
        for actor in self._actors:
            actor.cancel()
        await asyncio.gather(*self._actors, return_exceptions=True)
        self._closed = True
        try:
            await self._turns.close_session(self._session)
        except StoreUnavailableError as error:
            _log.warning("store unavailable", cause=str(error))

    @property
    def _free(self) -> int:
        if self._draining or self._is_late:
            return 0
        return self._max_replies - len(self._running) - self._reserved

    @property
    def _is_late(self) -> bool:
        """Whether this process has enough to do already."""
        return bool(self._running) and self._lag() > MOST_LAG

    def _tell(self, stopped: Stopped | None) -> bool:
        """Tell the turn that it is stopped, if it runs here; the store tells other processes."""
        if stopped is not None and stopped.session == self._session:
            running = self._running.get(stopped.key)
            if running is not None and running.claim.epoch == stopped.epoch:
                running.stop.now(stopped.reason)
            else:  # its claim is on its way here
                self._renew_soon()
        return stopped is not None

    def _renew_soon(self) -> None:
        """What was stopped is among the answers to a renewal."""
        self._renewed_at = -math.inf
        self._look_again.set()

    async def _open_session(self) -> None:
        asked_at = self._machine_time()
        self._session = await self._turns.open_session()
        self._lease = lease.Lease(self._machine_time)  # nothing extends the one before any more
        self._begun.clear()
        self._extend_lease(asked_at)

    async def _sweep(self) -> None:
        """Renew the lease, end timers, and fill free slots, forever."""
        loop = asyncio.get_running_loop()
        ticked_at = -math.inf
        while True:
            self._look_again.clear()
            try:
                if not self._closed and self._must_renew():
                    await self._renew()
                if loop.time() - ticked_at >= SWEEP_EVERY:
                    ticked_at = loop.time()
                    await self._turns.tick(limit=100)
                await self._fill_slots()
            except StoreUnavailableError as error:
                _log.warning("store unavailable", cause=str(error))
            try:
                async with asyncio.timeout(LATE_SWEEP_EVERY if self._is_late else SWEEP_EVERY):
                    await self._look_again.wait()
            except TimeoutError:
                continue

    async def _renew(self) -> None:
        """Extend the lease, pick up claims whose answer was lost on the way here, and hear what was stopped."""
        asked_at = self._lease.now()
        try:
            told = await self._turns.renew(
                self._session, tuple(running.claim for running in self._running.values())
            )
        except StoreUnavailableError:
            self._observer.lease("failed")
            raise
        except SessionLostError:
            self._observer.lease("lost")
            _log.warning("session lost: everything that ran here is somebody else's", replies=self.running)
            await self._open_session()
            self._abandon_all()
            return
        self._observer.lease("renewed")
        self._extend_lease(asked_at)
        self._forget_begun()
        for claim in told:
            running = self._running.get(claim.key)
            if running is not None and running.claim.epoch == claim.epoch:
                if claim.turn.refusal is not None:
                    running.stop.now(claim.turn.refusal)
            elif not self._draining:
                self._start(claim)

    def _abandon_all(self) -> None:
        assert self._tasks is not None
        claims = [running.claim for running in self._running.values()]
        self._tasks.create_task(self._abandon(tuple(self._actors), claims), name="lost turns")

    async def _abandon(self, actors: Collection[asyncio.Task[None]], claims: Collection[Claim]) -> None:
        """A call under way may tell which message it made. Then whoever has these turns hears that it may be late."""
        if actors:
            await asyncio.wait(actors, timeout=SEND_TIMEOUT)
        for actor in actors:
            actor.cancel()
        await asyncio.gather(*actors, return_exceptions=True)
        for claim in claims:
            await persistently(partial(self._turns.suspect, claim, SEND_TIMEOUT))

    def _must_renew(self) -> bool:
        """In time, and at once after a jump of the clock: else this process's own tick might reap its session."""
        by_the_loop = asyncio.get_running_loop().time() - self._renewed_at
        by_the_clock = self._clock.now() - self._renewed_by_clock
        return max(by_the_loop, by_the_clock) >= RENEW_EVERY

    def _extend_lease(self, asked_at: float) -> None:
        self._renewed_at = asyncio.get_running_loop().time()
        self._renewed_by_clock = self._clock.now()
        if not self._store.exclusive:
            self._lease.extend(asked_at, LEASE)

    async def _fill_slots(self) -> None:
        most = self._free
        if most <= 0:
            return
        self._reserved += most
        self._filling = True
        try:
            claims = await self._turns.claim(self._session, most)
        except SessionLostError:
            self._renewed_at = -math.inf
            claims = ()
        finally:
            self._filling = False
            self._reserved -= most
        for claim in claims:
            self._start(claim)

    def _start(self, claim: Claim) -> None:
        assert self._tasks is not None
        if not self._is_new(claim):
            return
        running = self._running[claim.key] = _Running(claim, asyncio.get_running_loop().time())
        self._idle.clear()
        actor = self._tasks.create_task(self._occupy(running, self._lease), name=f"conversation {claim.key}")
        self._actors.add(actor)
        actor.add_done_callback(self._ended)

    async def _occupy(self, running: _Running | None, of_session: lease.Lease) -> None:
        lease.hold(of_session)
        while running is not None:
            claim = running.claim
            try:
                following = await self._run_turn(claim, running.stop)
            finally:
                if self._running.get(claim.key) is running:
                    del self._running[claim.key]
            running = None
            if following is not None and self._free > 0:
                self._look_again.set()  # something was ready though a slot was free: there may be more
            if following is not None and self._is_new(following):
                running = self._running[following.key] = _Running(
                    following, asyncio.get_running_loop().time()
                )

    def _is_new(self, claim: Claim) -> bool:
        """Two answers of the store may name one claim: a renewal's may overtake that which granted it, and
        either may come when the turn has ended, or the session. Every claim of a session has a higher epoch than
        the one before, until the store has forgotten the conversation.
        """
        begun = self._begun.get(claim.key)
        if claim.session != self._session or (begun is not None and begun[0] >= claim.epoch):
            return False
        self._begun.pop(claim.key, None)  # the newest stand last
        self._begun[claim.key] = claim.epoch, asyncio.get_running_loop().time()
        return True

    def _forget_begun(self) -> None:
        long_ago = asyncio.get_running_loop().time() - ANSWERS_LATE_AT_MOST
        for key in list(itertools.takewhile(lambda key: self._begun[key][1] < long_ago, self._begun)):
            del self._begun[key]

    def _ended(self, actor: asyncio.Task[None]) -> None:
        self._actors.discard(actor)
        self._look_again.set()
        if not self._actors:
            self._idle.set()
