"""The first page: what needs somebody, and where to go on."""

from __future__ import annotations

from aiohttp import web

from gateway.admin.access import Permission
from gateway.console.console import Console, caller, may
from gateway.console.status import status_of

_MOST_LETTERS = 100


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def shown(request: web.Request) -> web.Response:
        who = caller(request)
        bots = await desk.bots.list(who)
        agents = await desk.agents.list(who)
        letters = await desk.dead_letters.page(who, cursor=None, limit=_MOST_LETTERS)
        found = [(bot, await status_of(console, who, bot)) for bot in bots]
        return console.page(
            request,
            "overview.html",
            bots=found,
            agents=agents,
            running=sum(status.running for _, status in found),
            waiting=sum(status.waiting for _, status in found),
            letters=f"{len(letters.items)}{'+' if letters.next else ''}",
            faults=[(bot, status) for bot, status in found if bot.state == "faulty" or status.last_error],
            broken_agents=[agent for agent in agents if agent.problem],
            may_add=may(request, Permission.CONFIGURE),
        )

    return [web.get("/", shown)]
