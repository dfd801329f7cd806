"""Chaos in short, with seeds that are known to strike hard; ``make chaos`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.run import run


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "plan",
    [Plan("redis", 3, 20.0, 302), Plan("redis+sentinel", 3, 18.0, 298), Plan("sqlite", 1, 20.0, 396)],
    ids=lambda plan: plan.store,
)
async def test_nothing_is_lost_or_doubled_whatever_breaks(tmp_path: Path, plan: Plan) -> None:
    result = await run(plan, tmp_path, lambda _: None)
    assert result.good, {kind: found for kind, found in result.faults.items() if found}
    assert result.counts["turns accepted"] > 15
    assert sum(result.counts[name] for name in ("kills", "freezes", "freezes past the lease")) > 0
