"""The playground: talking to an agent in the browser, also before any platform is set up."""

from __future__ import annotations

import secrets

from aiohttp import web

from gateway.admin.access import Permission
from gateway.admin.errors import ConflictError, InvalidError
from gateway.console.console import Console, caller, check, go
from gateway.console.forms import sent


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def shown(request: web.Request) -> web.Response:
        return await page(request, request.query.get("agent", ""), request.query.get("chat", ""))

    async def page(
        request: web.Request, agent: str, chat: str, *, text: str = "", problem: str = "", status: int = 200
    ) -> web.Response:
        who = check(request, Permission.OPERATE)
        agents = await desk.agents.list(who)
        if not agents:
            return console.page(request, "playground_empty.html")
        ids = [one.id for one in agents]
        chosen = agent or ("default" if "default" in ids else ids[0])
        chat = chat or secrets.token_urlsafe(6)
        return console.page(
            request,
            "playground.html",
            status=status,
            agents=agents,
            agent=chosen,
            chat=chat,
            lines=await desk.playground.shown(who, chosen, chat),
            text=text,
            problem=problem,
            wish=secrets.token_urlsafe(12),
        )

    async def said(request: web.Request) -> web.Response:
        form, who = await sent(request), caller(request)
        agent, chat, wish = form.get("agent", ""), form.get("chat", ""), form.get("request", "")
        if form.get("do") == "stop":
            await desk.playground.stop(who, agent, chat, wish)
            return go("/console/playground", agent=agent, chat=chat)
        text = form.get("text", "").replace("\r\n", "\n")
        try:
            await desk.playground.say(who, agent, chat, text, wish)
        except (InvalidError, ConflictError) as error:
            problem = error.problems[0].problem if isinstance(error, InvalidError) else str(error)
            return await page(
                request, agent, chat, text=text, problem=problem[:1].upper() + problem[1:], status=422
            )
        return go("/console/playground", agent=agent, chat=chat)

    async def followed(request: web.Request) -> web.StreamResponse:
        who = check(request, Permission.OPERATE)
        found = desk.playground.watch(who, request.query.get("agent", ""), request.query.get("chat", ""))
        return await console.stream(request, "chat.html", found, lambda lines: {"lines": lines})

    return [
        web.get("/playground", shown),
        web.post("/playground", said),
        web.get("/playground/now", followed),
    ]
