"""The replicas of the gateway, each with its own bad network, and what stands in front of them.

Every life of a replica calls out from an address of its own, so that the stand-ins see who wrote what.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from gateway.demo.gateway_process import Addresses, Credentials, GatewayDiedError, GatewayProcess
from gateway.demo.lark import LarkStandin
from gateway.demo.model import ModelStandin
from gateway.demo.slack import SlackStandin
from tests.chaos.history import History
from tests.chaos.stores import ChaosStore
from tests.proxy import Proxy
from tests.town import reconfigure

BALANCER = "http://balancer"
"""The host of the webhook addresses that the platforms know; ``Balancer`` puts a replica's in its place."""

START_AGAIN_AFTER = 1.0


class Replica:
    """``deaths``: what its process said each time when it ended without being killed."""

    def __init__(
        self, number: int, process: GatewayProcess, networks: dict[str, Proxy], history: History
    ) -> None:
        self.number = number
        self.networks = networks
        self.up = False
        self.frozen = False
        self.deaths: list[str] = []
        self._process = process
        self._history = history
        self._lives = itertools.count(1)
        self.address = ""

    @property
    def name(self) -> str:
        return f"replica {self.number}"

    @property
    def url(self) -> str:
        return self._process.url

    async def start(self) -> None:
        """Return when it is ready; it is started again if its store or its network is away meanwhile."""
        while True:
            life = next(self._lives)
            self.address = f"127.{self.number}.{life // 250}.{life % 250 + 1}"
            for proxy in self.networks.values():
                proxy.source = self.address
            try:
                await self._process.start()
            except asyncio.CancelledError:
                await self._process.kill()
                raise
            except GatewayDiedError as died:
                await self._process.kill()
                last = died.log.splitlines()[-1:]
                self._history.note("did not start", self.name, why=str(died), log=last)
                await asyncio.sleep(START_AGAIN_AFTER)
            else:
                self.up = True
                self._history.note("ready", self.name, address=self.address)
                return

    async def kill(self) -> None:
        """SIGKILL. The way to it stays: connections that it had end by themselves."""
        self.up = False
        self.frozen = False
        await self._process.kill()
        self._history.note("killed", self.name, address=self.address)

    def freeze(self) -> None:
        if not self._process.running:  # it has just died by itself
            return
        self._process.signal(signal.SIGSTOP)
        self.frozen = True
        self._history.note("frozen", self.name, address=self.address)

    def thaw(self) -> None:
        if self.frozen:
            self._process.signal(signal.SIGCONT)
            self.frozen = False
            self._history.note("thawed", self.name, address=self.address)

    async def watched(self) -> None:
        """Start it again whenever it ends by itself, which it never should."""
        while True:
            await asyncio.sleep(0.2)
            if self.up and not self._process.running:
                self.up = False
                died = self._process.died()
                self.deaths.append(f"{self.name}, {self.address}: {died}\n{died.log}")
                self._history.note("died by itself", self.name, why=str(died), log=died.log.splitlines())
                await self.start()


class Balancer:
    """Takes turns among the replicas that are up, as far as it knows: a frozen one is up."""

    def __init__(self) -> None:
        self.replicas: Sequence[Replica] = ()
        self._turn = itertools.count()

    def route(self, url: str) -> str:
        """For one attempt at delivering an event."""
        candidates = [one for one in self.replicas if one.up] or self.replicas
        return candidates[next(self._turn) % len(candidates)].url + urlsplit(url).path


@asynccontextmanager
async def replicas(
    folder: Path,
    how_many: int,
    store: ChaosStore,
    credentials: Credentials,
    slack: SlackStandin,
    lark: LarkStandin,
    model: ModelStandin,
    history: History,
) -> AsyncIterator[list[Replica]]:
    """All of them started. At the end each is thawed and stopped."""
    async with AsyncExitStack() as stack:
        made: list[Replica] = []
        for number in range(1, how_many + 1):
            networks = {
                "slack": await stack.enter_async_context(Proxy(urlsplit(slack.url).port or 0)),
                "lark": await stack.enter_async_context(Proxy(urlsplit(lark.url).port or 0)),
            }
            if store.port is not None:
                networks["store"] = await stack.enter_async_context(Proxy(store.port))
            home = folder / f"replica{number}"
            home.mkdir()
            addresses = Addresses(
                slack=f"http://127.0.0.1:{networks['slack'].port}/api/",
                lark=f"http://127.0.0.1:{networks['lark'].port}",
                model=model.base_url,
            )
            process = GatewayProcess(home, credentials, addresses)
            way = networks["store"].port if "store" in networks else 0
            reconfigure(home / "turnkeeper.yaml", {"store": store.settings(way, home)})
            made.append(Replica(number, await stack.enter_async_context(process), networks, history))
        await asyncio.gather(*(one.start() for one in made))
        try:
            yield made
        finally:
            for one in made:
                with contextlib.suppress(ProcessLookupError):
                    one.thaw()
