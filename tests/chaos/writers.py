"""Who wrote what, and when: late writes of processes that had been replaced, and how long a kill was felt.

A process that was replaced may have at most one write under way, which the platform refuses (Lark) or which is
mended (Slack). A second one, asked for after its successor's first, means that two processes owned a reply.
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.watch import Change

BEING_WRITTEN = 5.0
"""Seconds without a visible change after which a reply is not taken for one that its process was writing."""

HANDED_BACK_AFTER = 8.0
"""Seconds within which no conversation goes to another process and back: a lease is longer, and so are two
put-backs."""

TAKES_OVER_WITHIN = 12.0
"""Seconds before a reply goes on in which a further strike may have hit those who were about to go on with it."""


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float
    disturbed: bool


@dataclass(slots=True)
class StaleWrites:
    """``accepted`` and ``repaired`` count writes; ``owners`` tells of every message with two owners."""

    accepted: int = 0
    repaired: int = 0
    owners: list[str] = field(default_factory=list)


def stale_writes(
    changes: Mapping[tuple[str, str], Sequence[Change]], misfits: Collection[str]
) -> StaleWrites:
    """``misfits``: the ids of the messages whose final text is not right."""
    found = StaleWrites()
    for (platform, ts), written in changes.items():
        between = _between_successors(written)
        stale = {*_overtaken(written), *between}
        found.accepted += len(stale)
        found.repaired += 0 if ts in misfits else len(stale)
        for writer, times in Counter(written[index].writer for index in between).items():
            if times > 1:
                found.owners.append(f"{platform} {ts}: {writer} was replaced, and wrote {times} times more")
    return found


def _overtaken(written: Sequence[Change]) -> list[int]:
    """Writes that took effect after one that was asked for later."""
    newest = itertools.accumulate((change.asked_at for change in written), max)
    return [
        index for index, (change, at) in enumerate(zip(written, newest, strict=True)) if change.asked_at < at
    ]


def _between_successors(written: Sequence[Change]) -> list[int]:
    """Writes that somebody asked for between two of a successor, who went on without a pause."""
    found: list[int] = []
    writers = list(dict.fromkeys(change.writer for change in written))
    for index, change in enumerate(written):
        successors = writers[writers.index(change.writer) + 1 :]
        before = next((one for one in written[index::-1] if one.writer in successors), None)
        after = next((one for one in written[index:] if one.writer in successors), None)
        if (
            before is not None
            and after is not None
            and before.writer == after.writer
            and before.at < change.asked_at
            and after.at - before.at < HANDED_BACK_AFTER
        ):
            found.append(index)
    return found


def felt(
    kills: Sequence[tuple[float, str]],
    changes: Mapping[tuple[str, str], Sequence[Change]],
    strikes: Sequence[float] = (),
) -> list[Wait]:
    """From each kill (when, whose address) to the next visible change of each reply that it cut off. ``strikes``:
    when something else was done.
    """
    waits: list[Wait] = []
    for at, address in kills:
        for written in changes.values():
            before = [change for change in written if change.at <= at]
            after = [change for change in written if change.at > at]
            if not before or not after:
                continue
            last, progress = before[-1], after[0].at
            if last.writer == address and at - last.at < BEING_WRITTEN and last.text != written[-1].text:
                due = max(at, progress - TAKES_OVER_WITHIN)
                waits.append(Wait(progress - at, any(due < strike < progress for strike in strikes)))
    return waits


def middle(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
