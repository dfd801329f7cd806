"""Shows answers once more over which something may have been written late.

A platform that refuses a stale writer needs none of this. Where it does not, an edit that got no answer may be made
after the final text, and one that a frozen process was about to make leaves when it thaws.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from conversation.bot import Bot
from conversation.offers import offered
from conversation.outbound import DeliveryError, DeliveryRefusedError, PartRequest, ShownPart, unsaved
from conversation.stores.port import StoreUnavailableError, TurnStore
from conversation.turn import Repair, part_id

LOOK_EVERY = 5.0
"""Seconds between two looks for repairs that are due."""

AT_ONCE = 20
"""Repairs made at once; each goes below everything that somebody waits for."""

PATIENCE = 45.0
"""Seconds that a repair may take, less than REPAIR_AGAIN: one workspace at its limit holds up no other's."""

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
                due = await self._turns.due_repairs(AT_ONCE)
            except StoreUnavailableError as error:
                _log.warning("store unavailable", cause=str(error))
                continue
            async with asyncio.TaskGroup() as making:
                for repair in due:
                    making.create_task(self._see_to(repair), name=f"repair {repair.turn.id}")

    async def _see_to(self, repair: Repair) -> None:
        """What is not done, for whatever reason, is due again."""
        try:
            async with asyncio.timeout(PATIENCE):
                if await self._make(repair):
                    await self._turns.repaired(repair)
        except (StoreUnavailableError, TimeoutError) as error:
            _log.warning(
                "repair not made", turn=repair.turn.id, bot=repair.turn.message.key.bot, cause=str(error)
            )

    async def _make(self, repair: Repair) -> bool:
        """Whether it is done; else it is due again."""
        turn = repair.turn
        bot, final = self._bots.get(turn.message.key.bot), turn.delivery.final
        if bot is None or final is None:
            return True
        controls, last = offered(bot, turn, final), len(final.texts) - 1
        shown = [
            ShownPart(
                PartRequest(turn.message.address, part_id(turn.id, part.number), turn.attempt, unsaved),
                part.ref,
                final.texts[part.number],
                controls if part.number == last else None,
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
        except (StoreUnavailableError, TimeoutError):
            raise
        except Exception:  # noqa: BLE001 - the boundary of a repair: a bug in one must not end the process
            _log.exception("repair broke", turn=turn.id, bot=bot.id)
            return True
        _log.info("answer shown once more", turn=turn.id, bot=bot.id, strays=len(repair.strays))
        return done
