"""The reference model's completed turns that can be repaired."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conversation.clock import Clock
from conversation.stores.port import REPAIR_AGAIN, REPAIRABLE_FOR
from conversation.turn import Repair, Turn


@dataclass
class _Kept:
    """``due_at`` is None while a repair is not asked for."""

    turn: Turn
    due_at: float | None
    until: float
    strays: tuple[str, ...] = ()


class KeptForRepair:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def keep(self, turn: Turn, due_at: float, strays: tuple[str, ...]) -> None:
        shown = replace(turn, refusal=None, crashes=0, failures=0)  # what went wrong does not matter any more
        self._kept[turn.id] = _Kept(shown, due_at, self._clock.now() + REPAIRABLE_FOR, strays)

    def due(self, limit: int) -> tuple[Repair, ...]:
        now = self._clock.now()
        due = sorted(
            (kept.due_at, turn_id, kept)
            for turn_id, kept in self._kept.items()
            if kept.due_at is not None and kept.due_at <= now < kept.until
        )
        for _, _, kept in due[:limit]:
            kept.due_at = now + REPAIR_AGAIN
        return tuple(Repair(kept.turn, kept.strays) for _, _, kept in due[:limit])

    def done(self, repair: Repair) -> None:
        kept = self._kept.get(repair.turn.id)
        if kept is not None and kept.strays == repair.strays:
            kept.due_at, kept.strays = None, ()

    def suspect(self, turn_id: str, after: float, strays: tuple[str, ...]) -> bool:
        """Whether the turn is kept."""
        kept = self._kept.get(turn_id)
        if kept is not None:
            kept.due_at = max(kept.due_at or 0.0, self._clock.now() + after)
            kept.strays += strays
        return kept is not None

    def forget(self, limit: int) -> None:
        past = [turn for turn, kept in self._kept.items() if kept.until <= self._clock.now()]
        for turn in past[:limit]:
            del self._kept[turn]
