"""Shows answers once more over which a process that had lost its turn may have written.

A platform that refuses a stale writer needs none of this. Where it does not, a write that left a process in time may
arrive late, and one that a frozen process was about to make leaves when it thaws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from conversation.bot import Bot
from conversation.outbound import DeliveryError, DeliveryRefusedError, PartRequest, ShownPart, unsaved
from conversation.stores.port import StoreUnavailableError, TurnStore
from conversation.turn import Repair, part_id

LOOK_EVERY = 5.0
"""Seconds between two looks for repairs that are due."""

AT_ONCE = 20
"""Repairs taken at a time; they are made one after the other, below everything that somebody waits for."""

_log = structlog.get_logger()


class Repairs:
    """Makes the repairs that are due while ``run`` runs."""

    def __init__(self, bots: Mapping[str, Bot], turns: TurnStore) -> None:
        self._bots = bots
        self._turns = turns

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                for repair in await self._turns.due_repairs(AT_ONCE):
                    if await self._make(repair):
                        await self._turns.repaired(repair)
            except StoreUnavailableError as error:
                _log.warning("store unavailable", cause=str(error))

    async def _make(self, repair: Repair) -> bool:
        """Whether it is done; else it is due again."""
        turn = repair.turn
        bot, final = self._bots.get(turn.message.key.bot), turn.delivery.final
        if bot is None or final is None:
            return True
        shown = [
            ShownPart(
                PartRequest(turn.message.address, part_id(turn.id, part.number), turn.attempt, unsaved),
                part.ref,
                final.texts[part.number],
            )
            for part in turn.delivery.parts
            if part.ref and part.number < len(final.texts)
        ]
        try:
            done = await bot.outbound.repair(
                shown, repair.strays, lambda: self._turns.epoch_if_idle(turn.message.key)
            )
        except DeliveryError as trouble:
            _log.warning("repair not made", turn=turn.id, bot=bot.id, cause=str(trouble))
            return isinstance(trouble, DeliveryRefusedError)
        except Exception:  # noqa: BLE001 - the boundary of a repair: a bug in one must not end the process
            _log.exception("repair broke", turn=turn.id, bot=bot.id)
            return True
        _log.info("answer shown once more", turn=turn.id, bot=bot.id, strays=len(repair.strays))
        return done
