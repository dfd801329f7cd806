"""The bots: all of them, and each with its state, settings and secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from gateway.admin.access import Permission
from gateway.admin.bots import BotView
from gateway.admin.errors import FieldProblem, InvalidError, StaleError
from gateway.console.bot_fields import (
    ACCESS,
    ADVANCED,
    KEPT,
    USUAL,
    secret_placeholders,
    settings_of,
    values_of,
)
from gateway.console.console import Console, caller, check, go, may, say, step
from gateway.console.forms import Asked, Clash, Form, make_form, patch, sent, version_of, written
from gateway.console.installations import workspaces_of
from gateway.console.status import expected_events, status_of


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def listed(request: web.Request) -> web.Response:
        who = caller(request)
        bots = await desk.bots.list(who)
        found = [(bot, await status_of(console, who, bot)) for bot in bots]
        return console.page(request, "bots.html", bots=found, may_add=may(request, Permission.CONFIGURE))

    async def shown(request: web.Request) -> web.Response:
        return await _bot_page(console, request, await _asked_bot(console, request))

    async def saved(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        form = await sent(request)
        asked = settings_of(bot.channel)
        return await _save(console, request, bot, asked, written(form, asked), version_of(form))

    async def secrets_saved(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        form = await sent(request)
        asked = KEPT[bot.channel]
        removed = tuple(one for one in asked if one.optional and form.get(f"remove:{one.name}") == "on")
        return await _save(
            console, request, bot, asked, written(form, asked), version_of(form), removed=removed
        )

    async def switched(request: web.Request) -> web.Response:
        who, bot = caller(request), await _asked_bot(console, request)
        form = await sent(request)
        enabled = form.get("enabled") == "true"
        await desk.bots.change(who, bot.id, {"enabled": enabled}, version_of(form))
        return go(_path(bot), done="bot_enabled" if enabled else "bot_disabled")

    async def asked_to_remove(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        check(request, Permission.CONFIGURE, bot.id)
        return console.page(request, "bot_remove.html", bot=bot, problem="")

    async def removed(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        form = await sent(request)
        if form.get("confirm", "").strip() != bot.id:
            problem = say(request)("bot.remove.mismatch", id=bot.id)
            return console.page(request, "bot_remove.html", status=422, bot=bot, problem=problem)
        await desk.bots.remove(caller(request), bot.id, version_of(form))
        return go("/console/bots", done="bot_removed")

    return [
        web.get("/bots", listed),
        web.get("/bots/{id}", shown),
        web.post("/bots/{id}", saved),
        web.post("/bots/{id}/secrets", secrets_saved),
        web.post("/bots/{id}/enabled", switched),
        web.get("/bots/{id}/remove", asked_to_remove),
        web.post("/bots/{id}/remove", removed),
    ]


async def _asked_bot(console: Console, request: web.Request) -> BotView:
    return await console.administration.bots.get(caller(request), request.match_info["id"])


async def _save(
    console: Console,
    request: web.Request,
    bot: BotView,
    asked: Sequence[Asked],
    values: Mapping[str, str],
    version: int,
    *,
    removed: Sequence[Asked] = (),
) -> web.Response:
    document = {**patch(values, asked)}
    if removed:
        credentials = document.setdefault("credentials", {})
        assert isinstance(credentials, dict)
        credentials.update({one.name.rpartition(".")[2]: None for one in removed})
    problems: tuple[FieldProblem, ...] = ()
    clash = None
    try:
        await console.administration.bots.change(caller(request), bot.id, document, version)
        return go(_path(bot), done="saved")
    except InvalidError as error:
        problems, status = error.problems, 422
    except StaleError:
        bot = await console.administration.bots.get(caller(request), bot.id)
        clash, status = Clash(values_of(bot), bot.version), 412
    return await _bot_page(
        console, request, bot, values=values, asked=asked, problems=problems, clash=clash, status=status,
        version=version,
    )  # fmt: skip


async def _bot_page(
    console: Console,
    request: web.Request,
    bot: BotView,
    *,
    asked: Sequence[Asked] = (),
    values: Mapping[str, str] | None = None,
    problems: Sequence[FieldProblem] = (),
    clash: Clash | None = None,
    status: int = 200,
    version: int | None = None,
) -> web.Response:
    """Two forms, of settings and of secrets; ``values``, ``problems`` and ``clash`` are of the one with the fields
    ``asked``.
    """
    desk, who, speak = console.administration, caller(request), say(request)
    agents = await desk.agents.list(who)
    options = [(agent.id, agent.id) for agent in agents]
    if bot.agent not in {agent.id for agent in agents}:
        options.insert(0, (bot.agent, bot.agent or speak("form.choose")))
    locked = bot.provisioned or not may(request, Permission.CONFIGURE, bot.id)

    def form(own: Sequence[Asked]) -> Form:
        mine = own[0] in asked
        return make_form(
            speak,
            own,
            (values or {}) if mine else values_of(bot),
            about="bot",
            version=(bot.version if version is None else version) if mine else bot.version,
            problems=problems if mine else (),
            clash=clash if mine else None,
            locked=locked,
            options={"agent": tuple(options)},
            placeholders=secret_placeholders(bot, speak),
        )

    return console.page(
        request,
        "bot.html",
        status=status,
        bot=bot,
        status_of=await status_of(console, who, bot),
        expected=await expected_events(console, who, bot),
        workspaces=await workspaces_of(console, who, bot),
        may_forget=may(request, Permission.CONFIGURE, bot.id),
        settings=form(settings_of(bot.channel)),
        secrets=form(KEPT[bot.channel]),
        groups=(("usual", USUAL), ("access", ACCESS), ("advanced", ADVANCED[bot.channel])),
        asked_secrets=KEPT[bot.channel],
        locked=locked,
        open_groups={
            group
            for group, own in (("access", ACCESS), ("advanced", ADVANCED[bot.channel]))
            if any(found.field.startswith(one.name) for found in problems for one in own) or clash
        },
    )


def _path(bot: BotView) -> str:
    return f"/console/bots/{step(bot.id)}"
