"""Runs the turns of one claim after the other, until its slot has nothing to do.

Invariant: a turn that was claimed is completed, put back, or lost to a later claim; nothing else ends it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from conversation.clock import Clock
from conversation.executor import Executor
from conversation.observer import Observer, Unobserved
from conversation.outbound import SEND_TIMEOUT, DeliveryDelayedError, DeliveryError
from conversation.persistence import persistently
from conversation.stop import Stop
from conversation.stores.port import ClaimLostError, TurnStore
from conversation.turn import Claim, Final

_LONGEST_BACKOFF = 300.0

_log = structlog.get_logger()


class Actor:
    """``keep_turns`` of every conversation stay in its transcript."""

    def __init__(
        self,
        executor: Executor,
        turns: TurnStore,
        clock: Clock,
        *,
        keep_turns: int,
        observer: Observer = Unobserved(),  # noqa: B008 - has no state
    ) -> None:
        self._observer = observer
        self._executor = executor
        self._turns = turns
        self._clock = clock
        self._keep_turns = keep_turns

    async def run(self, claim: Claim, stop: Stop) -> Claim | None:
        """Run one turn to its end; the claim that the freed slot received, if any."""
        started, begun = self._clock.now(), asyncio.get_running_loop().time()
        try:
            ended = await self._executor.run(claim, stop)
            if ended.asked:
                claim = replace(claim, turn=replace(claim.turn, asked=ended.asked))
            following = await persistently(
                lambda: self._turns.complete(
                    claim,
                    ended.final,
                    keep_turns=self._keep_turns,
                    keep_texts=ended.keep_texts,
                    repair_after=ended.repair_after,
                )
            )
        except ClaimLostError as lost:
            stray = lost.stray
            _log.warning("claim lost", turn=claim.turn.id, epoch=claim.epoch)
            await persistently(lambda: self._turns.suspect(claim, SEND_TIMEOUT, stray))
            return None
        except DeliveryError as trouble:
            await self._put_back(claim, trouble)
            return None
        except Exception:  # noqa: BLE001 - the boundary of a slot: a bug in one turn must not end the others
            _log.exception("turn broke", turn=claim.turn.id)
            await self._put_back(claim, None)
            return None
        self._executor.completed(claim)
        self._close_the_books(claim, ended.final, started)
        if ended.first_text_at is not None and ended.final.answer and claim.turn.attempt == 1:
            waited = started - claim.turn.admitted_at
            self._observer.text_shown(claim, waited + ended.first_text_at - begun)
        return following

    async def _put_back(self, claim: Claim, trouble: DeliveryError | None) -> None:
        asked_for = trouble.delay if isinstance(trouble, DeliveryDelayedError) else 0.0
        delay = max(asked_for, min(_LONGEST_BACKOFF, 5.0 * 2**claim.turn.failures))
        cause = str(trouble) if trouble else "a bug"
        _log.warning("turn put back", turn=claim.turn.id, delay=delay, cause=cause)
        self._observer.turn_put_back(claim)
        try:
            await persistently(lambda: self._turns.retry(claim, delay))
        except ClaimLostError:
            _log.warning("claim lost", turn=claim.turn.id, epoch=claim.epoch)

    def _close_the_books(self, claim: Claim, final: Final, started: float) -> None:
        """The one log line of a turn: never a text, never a person."""
        turn, ended = claim.turn, self._clock.now()
        waited, ran = started - turn.admitted_at, ended - started
        self._observer.turn_completed(claim, final, waited, ran)
        _log.info(
            "turn completed",
            turn=turn.id,
            conversation=str(claim.key),
            bot=claim.key.bot,
            outcome=final.outcome.kind,
            reason=final.outcome.reason,
            attempt=turn.attempt,
            crashes=turn.crashes,
            parts=len(final.texts),
            waited_seconds=round(waited, 3),
            ran_seconds=round(ran, 3),
        )
