"""A kubelet, a Deployment and a Service in small: gateways as pods, replaced one after the other under load.

A connection stays with the pod that it was made to, as behind a real Service: what a platform's side keeps open
reaches a pod that is ending, until one of both closes it. The people are those of ``tests/chaos``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from gateway.demo.gateway_process import Addresses, Credentials, GatewayProcess
from gateway.demo.lark import LarkStandin
from gateway.demo.model import ModelStandin
from gateway.demo.people import ACK_DEADLINE, Delivery
from gateway.demo.slack import SlackStandin
from tests.chaos.history import History
from tests.chaos.load import People, Talk
from tests.chaos.verdict import Findings, judge, taken
from tests.chaos.watch import Watch
from tests.town import reconfigure

_TENANTS = {"slack": "T0DEMO", "lark": "demo-tenant"}
_RETRIES = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How a pod begins and ends, in seconds. ``grace`` begins with the deletion; ``forgotten_after`` is how long
    load balancers need to hear of a deletion, or of a pod that is not ready.
    """

    ready_path: str
    period: float
    failures: int
    pre_stop: float
    grace: float
    drain: str
    forgotten_after: float


class Pod:
    """``source``: the code of another version."""

    def __init__(self, name: str, process: GatewayProcess) -> None:
        self.name = name
        self.process = process
        self.port = urlsplit(process.url).port or 0
        self.killed = False
        """Whether its grace was not enough."""
        self.ended_after = 0.0
        """Seconds from SIGTERM to its end."""
        self.turned_unready = False


class Service:
    """A balancer of connections over the pods that it knows of."""

    def __init__(self) -> None:
        self.endpoints: list[Pod] = []
        self.refused = 0
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def route(self, url: str) -> str:
        """Of a webhook's address: where this service is reached."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{urlsplit(url).path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for one in self._open:
            one.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            pod = self.endpoints[next(self._turn) % len(self.endpoints)]
            there, back = await asyncio.open_connection("127.0.0.1", pod.port)
        except (OSError, ZeroDivisionError):
            self.refused += 1
            writer.transport.abort()
            return
        try:
            _, waiting = await asyncio.wait(
                [asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in waiting:
                one.cancel()
        finally:
            writer.close()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


@dataclass(slots=True)
class Figures:
    """What the people saw of it.

    ``refused``: webhooks that were not answered with 200, each of which the platform sent again; ``late``: how many
    had no answer in time, as of a busy machine; ``never_taken``: what was said and none of whose webhooks was taken.
    """

    findings: list[Findings] = field(default_factory=list)
    refused: list[Delivery] = field(default_factory=list)
    late: int = 0
    never_taken: list[str] = field(default_factory=list)
    webhooks: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        return [
            f"{kind}: {sentence}"
            for found in self.findings
            for kind, sentences in found.faults.items()
            for sentence in sentences
        ]

    @property
    def answered(self) -> int:
        return sum(found.taken for found in self.findings)

    @property
    def notices(self) -> int:
        return sum(found.notices for found in self.findings)

    @property
    def asked_again(self) -> int:
        """Requests to the model beyond one for each message."""
        return sum(self.asked.values()) - len(self.asked)


class Deployment:
    """``pods`` are those that are meant to be there."""

    def __init__(
        self, lifecycle: Lifecycle, service: Service, make: Callable[[str, Path | None], Pod]
    ) -> None:
        self.pods: list[Pod] = []
        self.gone: list[Pod] = []
        self._lifecycle = lifecycle
        self._service = service
        self._make = make
        self._number = itertools.count(1)
        self._probes: dict[Pod, asyncio.Task[None]] = {}
        self._ending: list[asyncio.Task[None]] = []

    async def add(self, source: Path | None = None) -> Pod:
        """Start a pod; returns when it gets webhooks."""
        pod = self._make(f"pod{next(self._number)}", source)
        await pod.process.start()
        self.pods.append(pod)
        self._service.endpoints.append(pod)
        self._probes[pod] = asyncio.create_task(self._probe(pod), name=f"probe {pod.name}")
        return pod

    def delete(self, pod: Pod) -> None:
        """Begin its end, in which nobody waits for it but ``calm``."""
        self.pods.remove(pod)
        self._ending.append(asyncio.create_task(self._end(pod), name=f"end {pod.name}"))

    async def roll(self, source: Path | None = None) -> None:
        """As ``maxSurge: 1, maxUnavailable: 0`` say: one more is ready before one is told to go. Returns when all
        that are meant to be there are of this version; the others may still be ending.
        """
        for old in list(self.pods):
            await self.add(source)
            self.delete(old)

    async def calm(self) -> None:
        """Wait until whoever was deleted has ended."""
        await asyncio.gather(*self._ending)
        self._ending.clear()

    async def close(self) -> None:
        for task in (*self._probes.values(), *self._ending):
            task.cancel()
        await asyncio.gather(*self._probes.values(), *self._ending, return_exceptions=True)
        for pod in (*self.pods, *self.gone):
            if pod.process.running:
                await pod.process.kill()

    async def _end(self, pod: Pod) -> None:
        self.gone.append(pod)
        deleted_at = time.monotonic()
        forgetting = asyncio.create_task(self._forget(pod))
        await asyncio.sleep(self._lifecycle.pre_stop)
        pod.process.signal(signal.SIGTERM)
        terminated_at = time.monotonic()
        left = self._lifecycle.grace - (terminated_at - deleted_at)
        try:
            async with asyncio.timeout(left):
                await pod.process.ended()
        except TimeoutError:
            pod.killed = True
            await pod.process.kill()
        pod.ended_after = time.monotonic() - terminated_at
        self._probes.pop(pod).cancel()
        await forgetting

    async def _forget(self, pod: Pod) -> None:
        await asyncio.sleep(self._lifecycle.forgotten_after)
        with contextlib.suppress(ValueError):
            self._service.endpoints.remove(pod)

    async def _probe(self, pod: Pod) -> None:
        """The readiness probe of a pod that was ready once."""
        failed = 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            while True:
                try:
                    async with session.get(f"{pod.process.url}{self._lifecycle.ready_path}") as answer:
                        failed = 0 if answer.ok else failed + 1
                        pod.turned_unready |= answer.status == 503
                except (aiohttp.ClientError, TimeoutError):
                    failed += 1
                if failed == self._lifecycle.failures:
                    await self._forget(pod)
                await asyncio.sleep(self._lifecycle.period)


@dataclass(slots=True)
class Cluster:
    deployment: Deployment
    people: People
    figures: Figures


@asynccontextmanager
async def talking_cluster(
    folder: Path,
    lifecycle: Lifecycle,
    *,
    replicas: int,
    store: dict[str, object],
    seed: int,
    source: Path | None = None,
) -> AsyncIterator[Cluster]:
    """People talk with so many pods of one version while the context runs. Then they fall silent, and ``figures``
    has what they saw when everything was answered, or after a minute.
    """
    secret, service = Credentials(), Service()
    slack = SlackStandin(
        signing_secret=secret.signing_secret,
        bot_token=secret.bot_token,
        retry_delays=_RETRIES,
        route=service.route,
        seed=seed,
    )
    lark = LarkStandin(
        app_id=secret.app_id,
        app_secret=secret.app_secret,
        encrypt_key=secret.encrypt_key,
        verification_token=secret.verification_token,
        retry_delays=_RETRIES,
        route=service.route,
        seed=seed,
    )
    model = ModelStandin(api_key=secret.model_key)
    with History(folder / "history.jsonl") as history:
        people = People(slack, lark, random.Random(seed), history, lambda talk: _judged(talk).clean)
        model.script = people.script
        watch = Watch(slack, lark, history)
        async with slack, lark, model, service:

            def make(name: str, code: Path | None) -> Pod:
                home = folder / name
                home.mkdir()
                addresses = Addresses(slack.api_base_url, lark.api_base_url, model.base_url)
                process = GatewayProcess(home, secret, addresses, code)
                reconfigure(home / "turnkeeper.yaml", {"store": store, "drain": lifecycle.drain})
                return Pod(name, process)

            deployment = Deployment(lifecycle, service, make)
            figures = Figures()
            try:
                for _ in range(replicas):
                    await deployment.add(source)
                began = time.monotonic()
                talking = asyncio.create_task(people.talk(600))
                yield Cluster(deployment, people, figures)
                people.hush()
                await talking
                await deployment.calm()
                figures.seconds = time.monotonic() - began
                await slack.settle()
                await lark.settle()
                figures.findings = await _settled(people.talks)
                figures.asked.update(call.question for call in model.calls_made)
            finally:
                await deployment.close()
            deliveries = [one for talk in people.talks for said in talk.said for one in said.deliveries]
            figures.webhooks = len(deliveries)
            failed = [one for one in deliveries if one.status != 200]
            figures.refused = [one for one in failed if one.took < ACK_DEADLINE]
            figures.late = len(failed) - len(figures.refused)
            figures.never_taken = [
                said.text for talk in people.talks for said in talk.said if not taken(said)
            ]
            figures.complaints = watch.complaints


def _judged(talk: Talk) -> Findings:
    return judge(talk, tenant=_TENANTS[talk.platform])


async def _settled(talks: Sequence[Talk], within: float = 60.0) -> list[Findings]:
    until = time.monotonic() + within
    while True:
        found = [_judged(talk) for talk in talks]
        if all(one.clean for one in found) or time.monotonic() > until:
            return found
        await asyncio.sleep(0.5)
