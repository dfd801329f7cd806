"""``turnkeeper serve``: start in order, run until told to stop, drain.

aiohttp's own ``run_app`` closes the listener first and awaits no background task, so this process owns its
runner: on SIGTERM it turns unready, keeps answering webhooks, lets replies finish, and only then closes. A
second signal ends the waiting.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from aiohttp import web

from gateway.settings import Settings
from gateway.telemetry import report_to_log
from gateway.wiring import Gateway, build

_log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Run the gateway until SIGTERM or SIGINT and its drain. Raises StoreUnavailableError and OSError (the
    port) at the start.
    """
    begun = time.perf_counter()
    async with build(settings) as gateway:
        stop, hurry = asyncio.Event(), asyncio.Event()
        _listen_for_signals(stop, hurry)
        report_to_log(asyncio.get_running_loop())
        started = asyncio.Event()
        background = asyncio.create_task(gateway.background(started), name="background")
        try:
            await _wait(started, background)
            async with AsyncExitStack() as sites:
                server, admin = settings.server, settings.admin.address
                url = await sites.enter_async_context(_served(gateway.app, server.host, server.port))
                if gateway.admin is not None and admin is not None:
                    admin_url = await sites.enter_async_context(_served(gateway.admin, *admin))
                    _log.info("admin api", url=admin_url)
                _spare_the_collector()
                _log.info(
                    "ready",
                    url=url,
                    bots=len(gateway.hosting.routes),
                    seconds=round(time.perf_counter() - begun, 3),
                )
                await _wait(stop, background)
                await _drain(gateway, hurry, settings.drain)
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
    _log.info("stopped")


@asynccontextmanager
async def _served(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Listen until the context ends, at the address given. Raises OSError."""
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        yield f"http://{f'[{host}]' if ':' in host else host}:{_port(runner)}"
    finally:
        await runner.cleanup()


def _spare_the_collector() -> None:
    """What the start made stays: to look through it for garbage, often, is up to 8 % of an event's CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _listen_for_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    def received() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, received)


async def _drain(gateway: Gateway, hurry: asyncio.Event, grace: float) -> None:
    _log.info("draining", replies=gateway.directory.running, grace_seconds=grace)
    await gateway.transports.close()
    drain = asyncio.create_task(gateway.directory.drain(grace), name="drain")
    if not await _before(drain, hurry):
        _log.warning("told to hurry")
        drain.cancel()
        await asyncio.gather(drain, return_exceptions=True)
        await gateway.directory.drain(0)


async def _wait(wanted: asyncio.Event, background: asyncio.Task[None]) -> None:
    """Wait for an event, or raise what ended the background, which runs as long as all is well."""
    if await _before(background, wanted):
        raise RuntimeError("the background ended by itself")


async def _before(task: asyncio.Task[None], event: asyncio.Event) -> bool:
    """Whether the task ended before the event came. Raises what the task raised."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        await task
    return task.done()


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])
