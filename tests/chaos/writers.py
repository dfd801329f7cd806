"""Who wrote what, and when: late writes of processes that had been replaced, and how long a kill was felt.

A process that was replaced may have at most one write under way, which the platform refuses (Lark) or which is
mended (Slack). A second one, asked for after its successor's first, means that two processes owned a reply.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.demo.judge import letters
from tests.chaos.watch import Change

BEING_WRITTEN = 5.0
"""Seconds without a visible change after which a reply is not taken for one that its process was writing."""


@dataclass(slots=True)
class StaleWrites:
    """``accepted`` and ``repaired`` count writes; ``owners`` tells of every message with two owners."""

    accepted: int = 0
    repaired: int = 0
    owners: list[str] = field(default_factory=list)


def stale_writes(changes: Mapping[tuple[str, str], Sequence[Change]], wrong: Collection[str]) -> StaleWrites:
    """``wrong``: the ids of the messages whose final text is not right."""
    found = StaleWrites()
    for (platform, ts), written in changes.items():
        stale = _stale(written)
        found.accepted += len(stale)
        found.repaired += 0 if ts in wrong else len(stale)
        for writer in {change.writer for change in stale}:
            again = [change for change in stale if change.writer == writer]
            if len(again) > 1:
                found.owners.append(
                    f"{platform} {ts}: {writer} was replaced, and wrote {len(again)} times more"
                )
    return found


def _stale(written: Sequence[Change]) -> list[Change]:
    """The writes of one who wrote before, between the first and the last of somebody who came later."""
    stale: list[Change] = []
    writers = list(dict.fromkeys(change.writer for change in written))
    for number, writer in enumerate(writers):
        later = [index for index, change in enumerate(written) if change.writer in writers[number + 1 :]]
        if not later:
            continue
        first, last = min(later), max(later)
        stale += [
            change
            for index, change in enumerate(written)
            if change.writer == writer
            and first < index
            and (index < last or _shortens(written[index - 1], change))
        ]
    return stale


def _shortens(before: Change, after: Change) -> bool:
    """An older text of the same message, shown over a newer one that was complete."""
    older, newer = letters(after.text), letters(before.text)
    return len(older) < len(newer) and newer.startswith(older) and not before.streaming


def felt(
    kills: Sequence[tuple[float, str]], changes: Mapping[tuple[str, str], Sequence[Change]]
) -> list[float]:
    """Seconds from each kill (when, whose address) to the next visible change of each reply that it cut off."""
    waits: list[float] = []
    for at, address in kills:
        for written in changes.values():
            before = [change for change in written if change.at <= at]
            after = [change for change in written if change.at > at]
            if not before or not after:
                continue
            last = before[-1]
            if last.writer == address and at - last.at < BEING_WRITTEN and last.text != written[-1].text:
                waits.append(after[0].at - at)
    return waits


def middle(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
