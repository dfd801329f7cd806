"""``/api/v1``: the admin and automation API. JSON, a bearer token, errors as RFC 9457 problem documents.

Each subject is a module that declares its endpoints. They check nobody's rights: the services of ``gateway.admin``
do.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from gateway.admin.administration import Administration
from gateway.api import (
    agents,
    audit,
    backup,
    bots,
    conversations,
    dead_letters,
    events,
    installations,
    privacy,
    secrets,
    tokens,
    turns,
    watching,
    whoami,
)
from gateway.api.auth import require
from gateway.api.endpoint import Subject
from gateway.api.idempotency import Repetitions
from gateway.api.openapi_route import described
from gateway.api.problems import problems
from gateway.api.routes import PREFIX, Routes
from gateway.api.streams import Streams

__all__ = ["PREFIX", "add_api", "make_api", "subjects"]


def subjects(administration: Administration) -> Sequence[Subject]:
    """All that the API can do."""
    return (
        whoami.subject(),
        bots.subject(administration.bots),
        installations.subject(administration.installations),
        agents.subject(administration.agents),
        conversations.subject(administration.conversations),
        watching.subject(administration.status, administration.selftest),
        turns.subject(administration.turns),
        dead_letters.subject(administration.dead_letters),
        events.subject(administration.events),
        tokens.subject(administration.tokens),
        audit.subject(administration.audit),
        privacy.subject(administration.privacy),
        secrets.subject(administration.rotation),
    )


def make_api(administration: Administration, repetitions: Repetitions) -> web.Application:
    """To be put under PREFIX, see ``add_api``."""
    streams = Streams()
    routes = Routes(administration.tokens, repetitions, streams)
    api = web.Application(middlewares=[problems, require(administration.tokens, administration.attempts)])
    declared = subjects(administration)
    for subject in declared:
        api.add_routes(routes.of(subject.endpoints))
    api.add_routes([described(declared), backup.route(administration.backup)])
    api.on_response_prepare.append(_for_nobody_else)
    api.on_shutdown.append(lambda _: streams.close())
    return api


def add_api(app: web.Application, api: web.Application) -> None:
    app.add_subapp(PREFIX, api)


async def _for_nobody_else(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
