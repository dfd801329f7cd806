"""Mixed traffic in short; ``make soak`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.run import soak


@pytest.mark.timeout(300)
async def test_mixed_traffic_breaks_no_limit(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, seconds=15.0, seed=7)
    assert outcome.good, (outcome.faults, outcome.complaints, outcome.limited)
    assert outcome.replies > 15
    assert outcome.longest > 1_000
