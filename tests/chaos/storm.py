"""Does to replicas, store and networks what the plan's strikes say, and puts everything in order at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from gateway.demo.faults import Hold
from gateway.demo.lark import LarkStandin
from gateway.demo.slack import SlackStandin
from tests.chaos.history import History
from tests.chaos.plan import Plan, Strike, strikes
from tests.chaos.replicas import START_AGAIN_AFTER, Replica
from tests.chaos.stores import ChaosStore
from tests.proxy import Network

LEASE = 15.0
PROMOTIONS_APART = 12.0
"""Seconds: Sentinel fails over once in twice its failover-timeout."""

RESTARTS_APART = 5.0

SENDS = ("chat.startStream", "chat.postMessage", "im.v1.message.reply")
EDITS = (
    "chat.appendStream",
    "chat.stopStream",
    "chat.update",
    "cardkit.v1.card_element.content",
    "cardkit.v1.card.settings",
    "cardkit.v1.card.update",
)

_BAD: tuple[Network, ...] = ("slow", "cut", "stalled", "half open")

Fate = Literal["", "kill", "freeze"]


class Storm:
    """``counts``: what was done, by the table's own words. ``kills``: when, and the address of whom; ``strikes``:
    when anything was done.
    """

    def __init__(
        self,
        plan: Plan,
        replicas: Sequence[Replica],
        store: ChaosStore,
        slack: SlackStandin,
        lark: LarkStandin,
        history: History,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.kills: list[tuple[float, str]] = []
        self.strikes: list[float] = []
        self._plan = plan
        self._replicas = replicas
        self._store = store
        self._slack = slack
        self._lark = lark
        self._history = history
        self._holds: set[Hold] = set()
        self._store_struck_at = -100.0

    async def rage(self, seconds: float) -> None:
        """Strike for so long. What lasts longer is ended by ``calm``."""
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as falling:
                for strike in strikes(self._plan):
                    await asyncio.sleep(strike.after)
                    falling.create_task(self._strike(strike))
        except TimeoutError:
            return

    async def calm(self) -> None:
        """Mend everything, and return when every replica is ready."""
        for hold in tuple(self._holds):
            hold.release()
        for one in self._replicas:
            for proxy in one.networks.values():
                proxy.become("good")
            one.thaw()
        await asyncio.gather(*(one.start() for one in self._replicas if not one.up))
        self._history.note("calm", "the storm")

    async def _strike(self, strike: Strike) -> None:
        victim = self._replicas[strike.victim]
        match strike.kind:
            case "kill":
                await self._kill(victim, START_AGAIN_AFTER + strike.luck)
            case "freeze":
                await self._freeze(victim, 0.3 + 5 * strike.luck)
            case "freeze past the lease":
                await self._freeze(victim, LEASE + 1 + 8 * strike.luck)
            case "restart the store":
                await self._restart_store(0.1 + 3 * strike.luck)
            case "promote a replica":
                await self._promote(1 + 3 * strike.luck)
            case "store network":
                await self._network(victim, "store", strike)
            case "platform network":
                await self._network(victim, _way(strike), strike)
            case "hold a call":
                await self._hold(strike, "")
            case "hold a call and kill its sender":
                await self._hold(strike, "kill")
            case "hold a call and freeze its sender":
                await self._hold(strike, "freeze")

    async def _kill(self, victim: Replica, seconds: float) -> None:
        if not victim.up:
            return
        victim.up = False  # at once: another strike may be meant for the same one
        self._count("kills")
        self.kills.append((time.time(), victim.address))
        await asyncio.shield(victim.kill())
        await asyncio.sleep(seconds)
        await victim.start()

    async def _freeze(self, victim: Replica, seconds: float) -> None:
        if not victim.up or victim.frozen:
            return
        self._count("freezes past the lease" if seconds > LEASE else "freezes")
        victim.freeze()
        await asyncio.sleep(seconds)
        victim.thaw()

    async def _restart_store(self, seconds: float) -> None:
        if not self._store_due(RESTARTS_APART):
            return
        self._count("store restarts")
        self._history.note("killed", "store", seconds=round(seconds, 1))
        await self._store.fail(seconds)
        self._history.note("ready", "store")

    async def _promote(self, seconds: float) -> None:
        if not self._store_due(PROMOTIONS_APART):
            return
        self._count("promotions")
        self._history.note("killed", "primary", seconds=round(seconds, 1))
        await self._store.fail(seconds)
        self._history.note("ready", "old primary")

    def _count(self, name: str) -> None:
        self.counts[name] += 1
        self.strikes.append(time.time())

    def _store_due(self, apart: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._store_struck_at < apart:
            return False
        self._store_struck_at = now
        return True

    async def _network(self, victim: Replica, way: str, strike: Strike) -> None:
        proxy = victim.networks[way]
        if proxy.network != "good":
            return
        network = _BAD[int(strike.more_luck * len(_BAD))]
        seconds = {"cut": 0.1 + 3 * strike.luck}.get(network, 1 + 9 * strike.luck)
        self._count(f"network {network}")
        proxy.become(network, delay=0.2 + strike.luck)
        self._history.note(f"network {network}", victim.name, to=way, seconds=round(seconds, 1))
        await asyncio.sleep(seconds)
        proxy.become("good")
        self._history.note("network good", victim.name, to=way)

    async def _hold(self, strike: Strike, fate: Fate) -> None:
        """A send takes effect within the time that its sender would have waited for it, an edit whenever."""
        methods = SENDS if strike.luck < 0.3 else EDITS
        method = methods[int(strike.more_luck * len(methods))]
        standin = self._lark if "." in method.removeprefix("chat.") else self._slack
        async with standin.hold(method, most=1) as hold:
            self._holds.add(hold)
            await hold.reached()
            seconds = 1 + 6 * strike.luck if method in SENDS else 1 + 24 * strike.luck
            sender = next((one for one in self._replicas if one.address == hold.callers[0]), None)
            self._count("calls held")
            self._history.note(
                "held", method, writer=hold.callers[0], seconds=round(seconds, 1), fate=fate or "none"
            )
            async with asyncio.TaskGroup() as both:
                if sender is not None and fate == "kill":
                    both.create_task(self._kill(sender, START_AGAIN_AFTER))
                if sender is not None and fate == "freeze":
                    both.create_task(self._freeze(sender, LEASE + 1 + 8 * strike.luck))
                await asyncio.sleep(seconds)
                hold.release()
        self._holds.discard(hold)


def _way(strike: Strike) -> str:
    """Luck that decides nothing else decides between the platforms: its third digit."""
    return "slack" if int(strike.luck * 1000) % 2 else "lark"
