"""``/console/``: the admin's pages.

Rendered here, usable by keyboard and without scripts; scripts only add what happens meanwhile. Each subject is a
module with its routes.
"""

from __future__ import annotations

import aiohttp
from aiohttp import web

from conversation.clock import Clock
from conversation.stores.records import Records
from gateway.admin.administration import Administration
from gateway.body import LARGEST_BODY
from gateway.console import (
    agents,
    audit,
    bots,
    conversations,
    installations,
    letters,
    live,
    overview,
    playground,
    privacy,
    selftest,
    setup,
    status,
    tokens,
    turns,
)
from gateway.console.console import Console
from gateway.console.door import Door
from gateway.console.oidc import IdentityProvider, Provider
from gateway.console.pages import Pages
from gateway.console.problems import told
from gateway.console.security import add_headers, own_pages_only
from gateway.console.sessions import Sessions
from gateway.console.static import serve_file
from gateway.console.streams import Streams

PREFIX = "/console"

SUBJECTS = (
    overview,
    bots,
    setup,
    installations,
    selftest,
    status,
    agents,
    playground,
    live,
    conversations,
    turns,
    letters,
    audit,
    tokens,
    privacy,
)


def make_console(
    administration: Administration,
    records: Records,
    clock: Clock,
    http: aiohttp.ClientSession,
    *,
    provider: Provider | None = None,
) -> web.Application:
    """To be put under PREFIX, see ``add_console``. ``provider``: people may sign in there too, over ``http``."""
    pages, streams = Pages(clock), Streams()
    sessions = Sessions(
        records, administration.tokens, clock, provider.principal if provider else lambda _: None
    )
    door = Door(
        sessions,
        administration.audit,
        administration.attempts,
        pages,
        provider=IdentityProvider(provider, http) if provider else None,
    )
    console = Console(administration, sessions, door, pages, streams)
    app = web.Application(
        middlewares=[told(pages), own_pages_only, door.keeper()], client_max_size=LARGEST_BODY
    )
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(streams.end)
    app.add_routes([web.get("/static/{name}", serve_file), *door.routes()])
    for subject in SUBJECTS:
        app.add_routes(subject.routes(console))
    return app


def add_console(app: web.Application, console: web.Application) -> None:
    async def first_page(_: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{PREFIX}/"})

    app.add_routes([web.get(PREFIX, first_page)])
    app.add_subapp(PREFIX, console)
