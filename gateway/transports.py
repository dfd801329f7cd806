"""The connections by which events come that no webhook brings: of each hosted bot that has one, kept while it runs.

Invariants: what arrives goes through ``Webhooks`` as if it had been posted; nothing is received before messages can
be admitted, nor once the drain has begun.
"""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from aiohttp import web

from channels.port import Channel, Reply, Transport
from channels.received import WebhookRequest
from conversation.directory import Directory
from gateway.hosting import Hosting
from gateway.webhooks import Webhooks

LOOK_EVERY = 1.0
"""Seconds between two looks at the hosted bots."""

START_EVERY = 0.1
"""The same, until messages can be admitted."""

CLOSED_WITHIN = 10.0
"""Seconds after which a connection that does not end when told is left behind; it takes nothing by then."""

_log = structlog.get_logger()


class Transports:
    def __init__(self, hosting: Hosting, webhooks: Webhooks, directory: Directory) -> None:
        self._hosting = hosting
        self._webhooks = webhooks
        self._directory = directory
        self._running: dict[Channel, asyncio.Task[None]] = {}
        self._closed = asyncio.Event()

    @property
    def connections(self) -> dict[tuple[str, str], bool]:
        """Whether each stands, by channel and bot."""
        return {
            route: hosted.channel.transport.connected
            for route, hosted in self._hosting.routes.items()
            if hosted.channel.transport is not None
        }

    async def run(self) -> None:
        """Follow what is hosted until cancelled. What a transport raises is a bug, and raised here."""
        try:
            while not self._closed.is_set():
                accepting = self._directory.accepting
                if accepting:
                    await self._follow()
                await self._wait(LOOK_EVERY if accepting else START_EVERY)
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Receive nothing more. Returns when all that was received is answered."""
        self._closed.set()
        ended, self._running = self._running, {}
        await _ended(ended)

    async def _wait(self, seconds: float) -> None:
        """Until the next look, or until one of them breaks."""
        closing = asyncio.create_task(self._closed.wait(), name="transports-closing")
        try:
            await asyncio.wait(
                (closing, *self._running.values()), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            closing.cancel()
        for task in self._running.values():
            if task.done() and not task.cancelled():
                task.result()

    async def _follow(self) -> None:
        wanted: dict[Channel, tuple[tuple[str, str], Transport]] = {
            hosted.channel: (route, hosted.channel.transport)
            for route, hosted in self._hosting.routes.items()
            if hosted.channel.transport is not None
        }
        # The new one first: between them there would be nobody whom the platform could give an event.
        for channel, (route, transport) in wanted.items():
            if channel not in self._running:
                self._running[channel] = asyncio.create_task(
                    transport.run(partial(self._take, route)), name=f"transport-{route[1]}"
                )
        gone = {channel: self._running.pop(channel) for channel in self._running.keys() - wanted.keys()}
        await _ended(gone)

    async def _take(self, route: tuple[str, str], request: WebhookRequest) -> Reply:
        hosted = self._hosting.routes.get(route)
        if hosted is None:
            return Reply(503, b"")
        response = await self._webhooks.take(route[0], hosted, request)
        return Reply(response.status, _body(response))


async def _ended(tasks: dict[Channel, asyncio.Task[None]]) -> None:
    for task in tasks.values():
        task.cancel()
    if not tasks:
        return
    _, late = await asyncio.wait(tasks.values(), timeout=CLOSED_WITHIN)
    for task in late:
        _log.warning("transport does not end", transport=task.get_name())


def _body(response: web.Response) -> bytes:
    body = response.body
    return body if isinstance(body, bytes) else b""
