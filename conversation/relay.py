"""Shows one turn's growing answer on the platform.

Invariants:

- one writer: calls for a turn are never concurrent, and an edit never queues behind a slow edit (the newest
  text wins);
- a part is cut off only once, behind what is on screen of it; its text does not change any more in this attempt;
- what stands under the last part is decided, and what it relies on stored, before it is shown;
- the final texts are shown whatever the pace, and surplus parts of an earlier attempt are taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from conversation.clock import Clock
from conversation.controls import Controls
from conversation.outbound import (
    LONGEST_WAIT,
    DeliveryDelayedError,
    DeliveryUnknownError,
    LivePart,
    Outbound,
)
from conversation.parts import Checkpoint, Parts
from conversation.steps import Step, Steps
from conversation.turn import Claim, Delivery, Final, Part

TRIES = 4
"""Attempts at one platform call before the turn is put back and tried again later."""

T = TypeVar("T")

Under = Callable[[Final, Delivery], Awaitable[Controls | None]]
"""What stands under the last part of this end, which is about to be closed; the same for every attempt."""


async def _nothing(_final: Final, _delivery: Delivery) -> None:
    """An answer without anything under it."""


class Relay:
    """One attempt at showing one turn. ``feed`` and ``end`` are called while ``run`` runs; then ``settle``."""

    def __init__(
        self,
        outbound: Outbound,
        claim: Claim,
        checkpoint: Checkpoint,
        clock: Clock,
        under: Under = _nothing,
    ) -> None:
        self._under = under
        self._outbound = outbound
        self._attempt = claim.turn.attempt
        self._parts = Parts(outbound, claim, checkpoint, clock, self._seen)
        self._said: list[str] = []
        self._finished: list[str] = []
        self._growing: list[str] = []
        self._shown = 0  # characters of the growing part that may be on screen
        self._live: LivePart | None = None
        self._steps = Steps()
        self._stepped = False
        self._pending = False
        self._first_text_at: float | None = None
        self._changed = asyncio.Event()
        self._ended = False
        self._patience: asyncio.Timeout | None = None

    @property
    def has_text(self) -> bool:
        return bool(self._finished or self._growing)

    @property
    def has_begun(self) -> bool:
        """Whether the service did anything for the answer: text, or a step on its way."""
        return self.has_text or self._stepped

    @property
    def is_working(self) -> bool:
        """Whether a step is under way: then no text is to be expected."""
        return self._steps.running

    @property
    def first_text_at(self) -> float | None:
        """When the person saw the first text of this attempt, by the loop's time."""
        return self._first_text_at

    @property
    def has_pending_edit(self) -> bool:
        """An edit got no answer: it may be made after the final text, and undo it."""
        return self._pending

    @property
    def answer(self) -> str:
        """What was fed, whole: the transcript's text."""
        return "".join(self._said)

    def feed(self, text: str) -> None:
        """Append to the answer. Costs the same however long the answer is."""
        self._said.append(text)
        self._growing.append(text)
        self._changed.set()

    def step(self, step: Step) -> None:
        """Something is done on the way to the answer. It is shown beside the text and is no part of it."""
        self._stepped = True
        self._steps.take(step)
        self._changed.set()

    def end(self) -> None:
        """Nothing more will be fed: ``run`` returns as soon as the platform call under way has returned."""
        self._ended = True
        self._changed.set()
        if self._patience is not None:
            self._patience.reschedule(0)

    async def run(self) -> None:
        """Show what is fed until ``end``. Raises DeliveryRefusedError and ClaimLostError."""
        if not self._outbound.streams:
            return
        if self._outbound.opens_early or self._parts.delivery.ref(0) is not None:
            await self._open("")
        while await self._wait_for_text():
            if self._live is not None and not await self._unless_ended(self._live.pace()):
                return
            await self._show()

    def texts(self, closing: str = "") -> tuple[str, ...]:
        """The text of every part of the answer, with ``closing`` (a notice) as a last paragraph."""
        tail = "".join(self._growing)
        if closing:
            tail = f"{tail.rstrip()}\n\n{closing}" if tail.strip() else closing
        texts, shown = list(self._finished), self._shown
        while (halves := self._outbound.cut(tail, shown)) is not None:
            texts.append(halves[0])
            tail, shown = halves[1], 0
        return (*texts, tail)

    async def settle(self, final: Final) -> None:
        """Make the final texts, and nothing else, visible.

        Raises DeliveryRefusedError, ClaimLostError, and DeliveryDelayedError when the platform did not take
        it for a while: the whole may then be repeated.
        """
        await self._parts.decide(final)
        if not final.texts and self._attempt > 1 and not self._parts.delivery.parts:
            perhaps_sent = Part(0, "")  # by an earlier attempt
            await self._insist(partial(self._parts.take_away, perhaps_sent))
        for number in range(len(self._finished), len(final.texts)):
            text = final.texts[number]
            part = self._live
            if part is None:
                part = await self._insist(partial(self._parts.take_hold, number, text, self._steps.all))
            is_last = number == len(final.texts) - 1
            controls = await self._under(final, self._parts.delivery) if is_last else None
            part.working(self._steps.ended(well=final.outcome.kind == "answered"))
            await self._insist(partial(part.close, text, controls))
            self._seen(text)
            self._live, self._steps = None, Steps()
        for surplus in [part for part in self._parts.delivery.parts if part.number >= len(final.texts)]:
            await self._insist(partial(self._parts.take_away, surplus))
            await self._parts.forget(surplus)

    async def _wait_for_text(self) -> bool:
        await self._changed.wait()
        self._changed.clear()
        return not self._ended

    async def _show(self) -> None:
        text = "".join(self._growing)
        self._growing = [text]
        while (halves := self._outbound.cut(text, self._shown)) is not None:
            head, text = halves
            if not await self._finish_part(head):
                return
            self._growing[0] = text  # behind it stands what was fed meanwhile
            self._shown = 0
        steady = self._outbound.steady(text, self._shown)
        text, self._shown = text[:steady], steady
        if self._live is None:
            if text.strip() or self._steps or self._outbound.opens_early:
                await self._open(text)
        elif text.strip() or self._steps:
            self._live.working(self._steps.all)
            try:
                await self._live.show(text)
                self._seen(text)
            except DeliveryDelayedError as delayed:
                await self._come_back_after(delayed)

    async def _finish_part(self, head: str) -> bool:
        """Close the current part for good; False when the answer ended while the platform made us wait."""
        while True:
            try:
                if self._live is None:
                    self._live = await self._parts.take_hold(len(self._finished), head, self._steps.all)
                self._live.working(self._steps.ended(well=True))
                await self._live.close(head)
                self._seen(head)
            except (DeliveryDelayedError, DeliveryUnknownError) as trouble:
                if not await self._unless_ended(asyncio.sleep(self._pause(trouble))):
                    return False
            else:
                self._finished.append(head)
                self._live = None
                self._steps.turn_over()
                return True

    async def _open(self, text: str) -> None:
        try:
            self._live = await self._parts.take_hold(len(self._finished), text, self._steps.all)
        except (DeliveryDelayedError, DeliveryUnknownError) as trouble:
            await self._come_back_after(trouble)

    async def _come_back_after(self, trouble: DeliveryDelayedError | DeliveryUnknownError) -> None:
        """Wait as asked, then show what the text has become by then."""
        await self._unless_ended(asyncio.sleep(self._pause(trouble)))
        self._changed.set()

    def _seen(self, text: str) -> None:
        if self._first_text_at is None and text.strip():
            self._first_text_at = asyncio.get_running_loop().time()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        for tried in range(1, TRIES):
            try:
                return await call()
            except (DeliveryDelayedError, DeliveryUnknownError) as trouble:
                pause = max(self._pause(trouble), 0.25 * 2**tried)
                if pause > LONGEST_WAIT:
                    raise
                await asyncio.sleep(pause)
        return await call()

    async def _unless_ended(self, waiting: Awaitable[None]) -> bool:
        """Wait; False, at once, if the answer ended meanwhile."""
        self._patience = asyncio.timeout(0 if self._ended else None)
        try:
            async with self._patience:
                await waiting
        except TimeoutError:
            if not self._patience.expired():
                raise
            return False
        finally:
            self._patience = None
        return True

    def _pause(self, trouble: DeliveryDelayedError | DeliveryUnknownError) -> float:
        if isinstance(trouble, DeliveryUnknownError):
            return 1.0
        self._pending |= trouble.pending
        return trouble.delay
