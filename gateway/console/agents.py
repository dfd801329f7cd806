"""The agents: who answers, with which model and prompt."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from aiohttp import web
from pydantic import JsonValue

from gateway.admin.access import Permission
from gateway.admin.agents import AgentView
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError, StaleError
from gateway.console.agent_fields import (
    AT_FIRST,
    CHANGED,
    LIMITS,
    MADE,
    PROMPT,
    PROVIDER,
    placeholders,
    values_of,
)
from gateway.console.console import Console, caller, check, go, may, say, step
from gateway.console.forms import Asked, Clash, make_form, patch, sent, version_of, written


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def listed(request: web.Request) -> web.Response:
        agents = await desk.agents.list(caller(request))
        return console.page(request, "agents.html", agents=agents)

    async def asked_for_new(request: web.Request) -> web.Response:
        check(request, Permission.CONFIGURE)
        return _new(console, request, values=AT_FIRST)

    async def made(request: web.Request) -> web.Response:
        who = check(request, Permission.CONFIGURE)
        form = await sent(request)
        values = written(form, MADE)
        try:
            agent = await desk.agents.create(who, _document(values, MADE))
        except InvalidError as error:
            return _new(console, request, values=values, problems=error.problems, status=422)
        except ConflictError as error:
            return _new(
                console, request, values=values, problems=[FieldProblem("id", str(error))], status=409
            )
        bot = form.get("for", "")
        if bot:
            await desk.bots.change(who, bot, {"agent": agent.id}, None)
            return go(f"/console/bots/{step(bot)}/setup/agent", done="agent_saved")
        return go(_path(agent), done="agent_saved")

    async def shown(request: web.Request) -> web.Response:
        return _shown(console, request, await _asked_agent(console, request))

    async def saved(request: web.Request) -> web.Response:
        agent = await _asked_agent(console, request)
        form = await sent(request)
        values, version = written(form, CHANGED), version_of(form)
        document = _document(values, CHANGED)
        if form.get("remove:api_key") == "on":
            document["api_key"] = None
        try:
            await desk.agents.change(caller(request), agent.id, document, version)
        except InvalidError as error:
            return _shown(
                console, request, agent, values=values, problems=error.problems, version=version, status=422
            )
        except StaleError:
            agent = await _asked_agent(console, request)
            clash = Clash(values_of(agent), agent.version)
            return _shown(console, request, agent, values=values, clash=clash, status=412)
        return go(_path(agent), done="agent_saved")

    async def pinged(request: web.Request) -> web.StreamResponse:
        who, agent = check(request, Permission.OPERATE), await _asked_agent(console, request)

        async def results() -> AsyncGenerator[dict[str, object], None]:
            yield {"ping": None, "asking": True}
            yield {"ping": await desk.agents.ping(who, agent.id), "asking": False}

        if console.wants_progress(request):
            return await console.stream(request, "ping.html", results(), lambda values: values)
        *_, last = [values async for values in results()]
        return _shown(console, request, agent, ping=last)

    async def removed(request: web.Request) -> web.Response:
        agent, form = await _asked_agent(console, request), await sent(request)
        await desk.agents.remove(caller(request), agent.id, version_of(form))
        return go("/console/agents", done="agent_removed")

    return [
        web.get("/agents", listed),
        web.get("/agents/new", asked_for_new),
        web.post("/agents/new", made),
        web.get("/agents/{id}", shown),
        web.post("/agents/{id}", saved),
        web.post("/agents/{id}/ping", pinged),
        web.post("/agents/{id}/remove", removed),
    ]


async def _asked_agent(console: Console, request: web.Request) -> AgentView:
    return await console.administration.agents.get(caller(request), request.match_info["id"])


def _document(values: Mapping[str, str], asked: Sequence[Asked]) -> dict[str, JsonValue]:
    """A model is left out where the provider needs none."""
    document = patch(values, asked)
    if values.get("provider") == "echo":
        document["model"] = None
    return document


def _new(
    console: Console,
    request: web.Request,
    *,
    values: Mapping[str, str],
    problems: Sequence[FieldProblem] = (),
    status: int = 200,
) -> web.Response:
    speak = say(request)
    return console.page(
        request,
        "agent_new.html",
        status=status,
        form=make_form(
            speak, MADE, values, about="agent", problems=problems, placeholders=placeholders(None, speak)
        ),
        groups=_groups((Asked("id"), *PROVIDER)),
        open_limits=_concerns_limits(problems),
        bot=request.query.get("for", ""),
    )


def _shown(
    console: Console,
    request: web.Request,
    agent: AgentView,
    *,
    values: Mapping[str, str] | None = None,
    problems: Sequence[FieldProblem] = (),
    clash: Clash | None = None,
    version: int | None = None,
    ping: Mapping[str, object] | None = None,
    status: int = 200,
) -> web.Response:
    speak = say(request)
    locked = agent.provisioned or not may(request, Permission.CONFIGURE)
    return console.page(
        request,
        "agent.html",
        status=status,
        agent=agent,
        locked=locked,
        form=make_form(
            speak,
            CHANGED,
            values_of(agent) if values is None else values,
            about="agent",
            version=agent.version if version is None else version,
            problems=problems,
            clash=clash,
            locked=locked,
            placeholders=placeholders(agent, speak),
        ),
        groups=_groups(PROVIDER),
        open_limits=clash is not None or _concerns_limits(problems),
        **(ping or {"ping": None, "asking": False}),
    )


def _groups(first: Sequence[Asked]) -> dict[str, Sequence[Asked]]:
    return {"first": first, "prompt": PROMPT, "limits": LIMITS}


def _concerns_limits(problems: Sequence[FieldProblem]) -> bool:
    return any(found.field.startswith(one.name) for found in problems for one in LIMITS)


def _path(agent: AgentView) -> str:
    return f"/console/agents/{step(agent.id)}"
