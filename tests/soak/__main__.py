"""``python -m tests.soak --seconds 600``: mixed traffic on both platforms, which may break none of their limits."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="in which new questions are asked")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnkeeper-soak-") as folder:
        outcome = asyncio.run(soak(Path(folder), seconds=given.seconds, seed=given.seed))
    print(
        f"{outcome.replies} replies of {outcome.characters:,} characters in {outcome.messages} messages, "
        f"the longest of {outcome.longest:,}"
    )
    for kind in ("faults", "complaints", "limited"):
        found: list[str] = getattr(outcome, kind)
        print(f"{kind}: {len(found)}")
        for one in found[:20]:
            print(f"  {one}")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
