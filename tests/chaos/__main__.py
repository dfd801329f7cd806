"""``python -m tests.chaos``: replicas of the gateway under load, while something breaks every second or two.

The exit code is 0 only if nothing was lost, doubled, out of order, owned twice, wrong or left unsettled.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path
from typing import get_args

from rich.console import Console

from tests.chaos.plan import EVERY, Kind, Plan, StoreName
from tests.chaos.report import print_result
from tests.chaos.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--store", choices=get_args(StoreName), default="redis")
    parser.add_argument("--workers", type=int, help="replicas of the gateway; 3, and 1 on sqlite")
    parser.add_argument("--seconds", type=float, default=60.0, help="for which people talk and things break")
    parser.add_argument("--seed", type=int, help="decides what breaks and what is said; else one is drawn")
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between two strikes, about")
    parser.add_argument("--only", choices=get_args(Kind), help="nothing else strikes")
    parser.add_argument("--history", type=Path, default=Path("chaos"), help="the folder of histories")
    given = parser.parse_args()
    workers = given.workers or (1 if given.store == "sqlite" else 3)
    if given.store == "sqlite" and workers != 1:
        parser.error("--workers: a SQLite file belongs to one process; give 1, or another --store")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(100_000)
    plan = Plan(given.store, workers, given.seconds, seed, given.every, given.only)
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(f"{plan.store}: {plan.workers} replicas, {plan.seconds:g} s, seed {plan.seed}")

    def progress(line: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    result = asyncio.run(run(plan, given.history, progress))
    progress("")
    print_result(console, plan, result)
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
