"""The messages of one turn's answer, and what is stored of them.

Invariants:

- every message that becomes visible is stored before anything relies on it, so that the next attempt writes the same
  message instead of a second one; that there may be a further one is stored before it is sent;
- where an earlier attempt, or a call that got no answer, may have sent a message, it is looked for before another one
  is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from conversation.clock import Clock
from conversation.controls import Controls
from conversation.outbound import DeliveryDelayedError, LivePart, Outbound, PartRequest
from conversation.steps import Step
from conversation.stores.port import ClaimLostError
from conversation.turn import Claim, Delivery, Final, Part, part_id

Checkpoint = Callable[[Delivery], Awaitable[None]]


class Parts:
    """Of one attempt. ``opened`` is told the text of every message that is newly there."""

    def __init__(
        self,
        outbound: Outbound,
        claim: Claim,
        checkpoint: Checkpoint,
        clock: Clock,
        opened: Callable[[str], None],
    ) -> None:
        self._outbound = outbound
        self._claim = claim
        self._checkpoint = checkpoint
        self._clock = clock
        self._opened = opened
        self._delivery = claim.turn.delivery
        self._sent_blindly: set[int] = set()

    @property
    def delivery(self) -> Delivery:
        """How far the answer has come, as it was last stored."""
        return self._delivery

    async def decide(self, final: Final) -> None:
        """Store how the turn ends."""
        if self._delivery.final != final:
            self._delivery = Delivery(self._delivery.parts, final)
            await self._checkpoint(self._delivery)

    async def take_hold(self, number: int, text: str, steps: tuple[Step, ...] = ()) -> LivePart:
        """The message that shows this part: the known one, the one an earlier try left, or a new one."""
        request = self._request(number, steps)
        ref = self._delivery.ref(number)
        if ref is None and (self._claim.turn.attempt > 1 or number in self._sent_blindly):
            await self._outlast_earlier_send()
            ref = await self._outbound.find(request)
            if ref is not None:
                await request.save(ref)
        if ref is not None:
            return await self._outbound.resume(request, ref)
        if number:  # unlike the first one it may be missing in the next attempt, which has to know of it then
            await request.save("")
        self._sent_blindly.add(number)
        try:
            part = await self._outbound.open(request, text)
        except DeliveryDelayedError:
            self._sent_blindly.discard(number)
            raise
        self._opened(text)
        return part

    async def take_away(self, surplus: Part) -> None:
        request, ref = self._request(surplus.number), surplus.ref
        if not ref:
            await self._outlast_earlier_send()
            ref = await self._outbound.find(request) or ""
        if ref:
            await self._outbound.remove(request, ref)

    async def forget(self, surplus: Part) -> None:
        """It is away."""
        self._delivery = self._delivery.without_part(surplus.number)
        await self._checkpoint(self._delivery)

    async def _outlast_earlier_send(self) -> None:
        """A process that died may have a send under way: what it did shows only after its timeout."""
        if self._claim.last_send_at is not None:
            known_at = self._claim.last_send_at + self._outbound.fate_known_after
            await asyncio.sleep(max(0.0, known_at - self._clock.now()))

    def _request(self, number: int, steps: tuple[Step, ...] = ()) -> PartRequest:
        async def save(ref: str) -> None:
            self._delivery = self._delivery.with_part(Part(number, ref))
            try:
                await self._checkpoint(self._delivery)
            except ClaimLostError as lost:
                lost.stray = ref
                raise

        turn = self._claim.turn
        return PartRequest(
            turn.message.address,
            part_id(turn.id, number),
            turn.attempt,
            save,
            _stoppable(self._claim),
            steps,
        )


def _stoppable(claim: Claim) -> Controls | None:
    """Nobody sees an answer to the API while it grows, and what is about the bot itself is said at once."""
    turn, message = claim.turn, claim.turn.message
    if message.origin == "api" or message.stands_alone or turn.refusal is not None:
        return None
    return Controls(turn.id, message.person, claim.key, message.locale)
