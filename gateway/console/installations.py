"""The workspaces in which a bot is that people install: on the bot's page."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gateway.admin.access import Principal
from gateway.admin.bots import BotView
from gateway.admin.errors import ConflictError, UnknownError
from gateway.admin.installations import InstallationView
from gateway.console.console import Console, caller, go


@dataclass(frozen=True, slots=True)
class Workspaces:
    """``install_url`` is for people who want the bot in theirs; it is whole only if the gateway knows its address."""

    install_url: str
    installed: tuple[InstallationView, ...]


async def workspaces_of(console: Console, who: Principal, bot: BotView) -> Workspaces | None:
    """None of a bot that is in one workspace, or does not run."""
    try:
        installed = await console.administration.installations.list(who, bot.id)
    except (ConflictError, UnknownError):
        return None
    return Workspaces(f"{bot.webhook_url.partition('/webhooks/')[0]}/slack/{bot.id}/install", installed)


def routes(console: Console) -> list[web.RouteDef]:
    async def forgotten(request: web.Request) -> web.Response:
        id = request.match_info["id"]
        await console.administration.installations.forget(caller(request), id, request.match_info["place"])
        return go(f"/console/bots/{id}", done="installation_removed")

    return [web.post("/bots/{id}/installations/{place}/forget", forgotten)]
