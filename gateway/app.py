"""The HTTP side: every route, in one list. Those of the API are listed by its subjects, in ``api``."""

from __future__ import annotations

from aiohttp import web

from conversation.directory import Directory
from gateway.api import add_api
from gateway.body import LARGEST_BODY
from gateway.console import PREFIX as CONSOLE
from gateway.console import add_console
from gateway.installs import Installs
from gateway.webhooks import Webhooks


def make_app(
    webhooks: Webhooks,
    directory: Directory,
    installs: Installs,
    metrics: web.RouteDef | None = None,
    api: web.Application | None = None,
    console: web.Application | None = None,
) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def ready(_: web.Request) -> web.Response:
        if directory.accepting:
            return web.Response(text="ready")
        return web.Response(status=503, text="starting or draining")

    async def send_elsewhere(_: web.Request, response: web.StreamResponse) -> None:
        if not directory.accepting:
            response.force_close()
            response.headers["Connection"] = "close"

    app = web.Application(client_max_size=LARGEST_BODY)
    # A load balancer keeps its connections: while this process drains each answer ends one, so that the next
    # webhook comes by a new connection, to another process.
    app.on_response_prepare.append(send_elsewhere)
    app.add_routes(
        [
            web.post("/webhooks/{channel}/{bot}", webhooks.handle),
            *installs.routes(),
            web.get("/livez", live),
            web.get("/readyz", ready),
        ]
    )
    if metrics is not None:
        app.add_routes([metrics])
    if api is not None:
        add_api(app, api)
    if console is not None:
        add_console(app, console)
    return app


def make_metrics_app(metrics: web.RouteDef) -> web.Application:
    """What is served where the admin has an address of its own, and nobody may be one."""
    app = web.Application()
    app.add_routes([metrics])
    return app


def make_admin_app(metrics: web.RouteDef, api: web.Application, console: web.Application) -> web.Application:
    """What is served where the admin has an address of its own."""

    async def first_page(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{CONSOLE}/"})

    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.get("/", first_page), metrics])
    add_api(app, api)
    add_console(app, console)
    return app
