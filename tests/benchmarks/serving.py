"""How the servers of the benchmarks serve: aiohttp, on a free port, which they print."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def serve(app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()
