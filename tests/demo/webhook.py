"""A gateway's webhook, as far as the stand-ins need one: it records requests and answers as told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from gateway.demo.standin import StandIn


@dataclass(frozen=True)
class Got:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        decoded = orjson.loads(self.body)
        assert isinstance(decoded, dict)
        return decoded


@dataclass
class Webhook:
    answer: Callable[[Got], web.Response]
    url: str = ""
    got: list[Got] = field(default_factory=list)


def accepted(_: Got) -> web.Response:
    return web.Response(headers={"X-Turnkeeper-Admission": "accepted"})


class _Server(StandIn):
    def __init__(self, webhook: Webhook) -> None:
        super().__init__(latency=0)
        self._webhook = webhook

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook", self._serve)]

    async def _serve(self, request: web.Request) -> web.Response:
        got = Got({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self._webhook.got.append(got)
        return self._webhook.answer(got)


@asynccontextmanager
async def webhook(answer: Callable[[Got], web.Response] = accepted) -> AsyncIterator[Webhook]:
    listening = Webhook(answer)
    async with _Server(listening) as server:
        listening.url = f"{server.url}/hook"
        yield listening
