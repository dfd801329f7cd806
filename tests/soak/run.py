"""A run of mixed traffic through the real gateway."""

from __future__ import annotations

from pathlib import Path

from tests.soak.traffic import Outcome, Traffic
from tests.town import town

TIMEOUTS = {"first_token": "60s", "idle": "60s", "reply": "300s"}


async def soak(folder: Path, *, seconds: float, seed: int) -> Outcome:
    traffic = Traffic(seed, seconds)
    settings: dict[str, object] = {"agents": {"timeouts": TIMEOUTS}}
    async with town(folder, script=traffic.script, settings=settings) as here:
        return await traffic.run(here)
