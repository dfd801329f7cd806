"""What every row of the crash table shares: a town on either engine, talk on all platforms, and what comes after a
kill. A row runs on all platforms at once, as waiting for a lease costs the same for one as for three.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.demo.faults import Hold
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.conversation.stores.servers import ServerProcess, fresh_namespace, valkey
from tests.faults.talk import PLATFORMS, Look, replies, script
from tests.town import Script, Town, town
from tests.waiting import until

Engine = Literal["sqlite", "redis"]
"""On SQLite the killed gateway is started again; on Redis a second one is there, and takes over."""

WITHIN = 75.0
"""Seconds for everybody's answers: a lease, the fate of a send, two turns of each conversation."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Two messages in one conversation, and a look at it."""

    said: list[Said]
    look: Look

    @property
    def replies(self) -> list[Shown]:
        return replies(self.look)


Talk = Mapping[str, Spoken]
"""By platform."""


def store(engine: Engine, server: ServerProcess | None = None) -> dict[str, object]:
    """Settings; SQLite is what a town has anyway."""
    if engine == "sqlite":
        return {}
    return {"store": {"url": (server or valkey()).url, "namespace": fresh_namespace()}}


@asynccontextmanager
async def crashing(
    folder: Path,
    engine: Engine,
    *,
    answers: Script = script,
    replicas: int = 2,
    server: ServerProcess | None = None,
    proxied: bool = False,
    frozen: bool = False,
    first_token_after: float = 0.2,
    tokens_per_second: float = 40.0,
) -> AsyncIterator[Town]:
    """A town with so many replicas, of which SQLite allows one."""
    async with town(
        folder,
        script=answers,
        settings=store(engine, server),
        replicas=1 if engine == "sqlite" else replicas,
        proxied=proxied,
        frozen=frozen,
        first_token_after=first_token_after,
        tokens_per_second=tokens_per_second,
    ) as here:
        yield here


async def everywhere(here: Town) -> Talk:
    """Say two messages in one conversation of each platform."""
    spoken: dict[str, Spoken] = {}
    for platform, speak in PLATFORMS.items():
        said, look = await speak(here)
        spoken[platform] = Spoken(said, look)
    return spoken


@asynccontextmanager
async def held(here: Town, methods: Mapping[str, str]) -> AsyncIterator[list[Hold]]:
    """Hold back a method of each platform; what was held takes effect at the end."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(here.held(platform, method))
            for platform, method in methods.items()
        ]


def lose_answers(here: Town, methods: Mapping[str, str]) -> None:
    """The next call of each method takes effect, and its caller never hears of it."""
    for platform, method in methods.items():
        (here.lark if platform == "lark" else here.slack).fail_next(method, "timeout_after_effect")


async def all_of_them(talk: Talk, holds: Callable[[Spoken], object], within: float = 20.0) -> None:
    """Wait until it holds of every conversation."""
    await until(
        lambda: all(holds(spoken) for spoken in talk.values()),
        within,
        lambda: {name: [shown.text[:60] for shown in spoken.look()] for name, spoken in talk.items()},
    )


async def kill(here: Town, engine: Engine) -> None:
    """The gateway that runs everything dies; what goes on is a new one, or another one."""
    await here.gateway.kill()
    if engine == "sqlite":
        await here.gateway.start()


async def finished(here: Town, talk: Talk, within: float = WITHIN) -> None:
    """Every message has its one answer, in order, and a moment later still has."""
    async with asyncio.TaskGroup() as looking:
        for spoken in talk.values():
            looking.create_task(here.answered(spoken.said, spoken.look, within=within))
    await here.slack.settle()
    await here.lark.settle()
    for platform, spoken in talk.items():
        assert here.faults(spoken.said, spoken.look()) == [], platform


async def mended(here: Town, talk: Talk, within: float) -> None:
    """Every message has its one answer in the end, in order: what came late is written over or taken away."""

    def faults(spoken: Spoken) -> list[str]:
        return [one for one in here.faults(spoken.said, spoken.look()) if " began " not in one]

    await until(
        lambda: not any(faults(spoken) for spoken in talk.values()),
        within,
        lambda: {name: faults(spoken) for name, spoken in talk.items()},
    )


def first_answer(said: Said) -> str:
    """What the platform was told once it was told anything."""
    return next(admission for admission in said.admissions if admission)


def asked(here: Town) -> list[str]:
    """The questions that the model was asked, sorted."""
    return sorted(call.question for call in here.model.calls_made)
