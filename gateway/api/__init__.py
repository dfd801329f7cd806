"""``/api/v1``: the admin and automation API. JSON, a bearer token, errors as RFC 9457 problem documents.

Each subject is a module with its routes.
"""

from __future__ import annotations

from aiohttp import web

from gateway.api import dead_letters
from gateway.api.auth import require
from gateway.api.problems import problems
from gateway.dead_letters import DeadLetters

PREFIX = "/api/v1"


def make_api(token: str, *, letters: DeadLetters) -> web.Application:
    """To be put under PREFIX, see ``add_api``. ``token`` opens everything; it is not empty."""
    api = web.Application(middlewares=[problems, require(token)])
    api.add_routes(dead_letters.routes(letters))
    return api


def add_api(app: web.Application, api: web.Application) -> None:
    app.add_subapp(PREFIX, api)
