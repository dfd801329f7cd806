"""``GET /backup``: the embedded store as a file. It stands beside the declared endpoints, as it answers no JSON."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.backup import Backup
from gateway.api.auth import CALLER

CONTENT_TYPE = "application/vnd.sqlite3"
_CHUNK = 1 << 18


def route(backup: Backup) -> web.RouteDef:
    async def answer(request: web.Request) -> web.StreamResponse:
        async with backup.made(request[CALLER]) as path:
            response = web.StreamResponse(
                headers={
                    "Content-Type": CONTENT_TYPE,
                    "Content-Disposition": 'attachment; filename="turnkeeper.db"',
                }
            )
            response.content_length = path.stat().st_size
            await response.prepare(request)
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    await response.write(chunk)
            await response.write_eof()
            return response

    return web.get("/backup", answer, allow_head=False)
