"""What a run is asked to do, and the strikes that its seed makes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

StoreName = Literal["redis", "redis+sentinel", "sqlite"]

Kind = Literal[
    "kill",
    "freeze",
    "freeze past the lease",
    "restart the store",
    "promote a replica",
    "store network",
    "platform network",
    "hold a call",
    "hold a call and kill its sender",
    "hold a call and freeze its sender",
]

_WEIGHTS: dict[StoreName, dict[Kind, int]] = {
    "redis": {
        "kill": 5,
        "freeze": 2,
        "freeze past the lease": 2,
        "restart the store": 2,
        "store network": 3,
        "platform network": 3,
        "hold a call": 2,
        "hold a call and kill its sender": 1,
        "hold a call and freeze its sender": 1,
    },
    "redis+sentinel": {
        "kill": 5,
        "freeze": 2,
        "freeze past the lease": 2,
        "promote a replica": 3,
        "platform network": 3,
        "hold a call": 2,
        "hold a call and kill its sender": 1,
        "hold a call and freeze its sender": 1,
    },
    "sqlite": {  # where every kill cuts off everything, and the fourth of a turn ends it
        "kill": 3,
        "freeze": 2,
        "freeze past the lease": 1,
        "platform network": 4,
        "hold a call": 2,
        "hold a call and kill its sender": 2,
    },
}

EVERY = 1.5
"""Seconds between two strikes, a third more or less."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``only``: nothing else strikes, as to see what a kill alone costs."""

    store: StoreName = "redis"
    workers: int = 3
    seconds: float = 60.0
    seed: int = 1
    every: float = EVERY
    only: Kind | None = None

    @property
    def name(self) -> str:
        only = f"-{self.only.replace(' ', '-')}" if self.only else ""
        return f"{self.store.replace('+', '-')}-{self.workers}-{self.seconds:g}s-seed{self.seed}{only}"


@dataclass(frozen=True, slots=True)
class Strike:
    """One misfortune, ``after`` so many seconds. ``luck`` (0 to 1, twice) decides what else there is to decide."""

    after: float
    kind: Kind
    victim: int
    luck: float
    more_luck: float


def strikes(plan: Plan) -> Iterator[Strike]:
    """The same for the same plan, whatever comes of them."""
    chance = random.Random(plan.seed)
    weights = _WEIGHTS[plan.store]
    while True:
        yield Strike(
            after=chance.uniform(plan.every * 2 / 3, plan.every * 4 / 3),
            kind=plan.only or chance.choices(list(weights), list(weights.values()))[0],
            victim=chance.randrange(plan.workers),
            luck=chance.random(),
            more_luck=chance.random(),
        )
