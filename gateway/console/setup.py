"""Adding a bot, step by step. The draft is made in the first step: from then on it answers URL verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from aiohttp import web
from pydantic import JsonValue

from gateway.admin.access import Permission, Principal
from gateway.admin.bots import BotView
from gateway.admin.errors import ConflictError, FieldProblem, InvalidError
from gateway.console.bot_fields import BEGIN, SECRETS, secret_placeholders
from gateway.console.console import Console, caller, check, go, may, say, step
from gateway.console.forms import Asked, make_form, patch, sent, written
from gateway.console.status import expected_events, status_of

Channel = Literal["slack", "lark"]

STEPS: Mapping[str, tuple[str, ...]] = {
    "slack": ("platform", "secrets", "agent", "test", "enable"),
    "lark": ("platform", "secrets", "address", "agent", "test", "enable"),
}
"""Lark's address comes behind its secrets: what the platform asks there may be encrypted."""

PLACEHOLDER = "echo"
"""The agent of a first draft, where there is none yet: it says what it was told."""

_CHANNEL = Asked("channel")


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def asked_for_new(request: web.Request) -> web.Response:
        check(request, Permission.CONFIGURE)
        channel = request.query.get("channel", "slack")
        return _first_page(console, request, channel=channel, values={"channel": channel})

    async def begun(request: web.Request) -> web.Response:
        who = check(request, Permission.CONFIGURE)
        form = await sent(request)
        channel = "lark" if form.get("channel") == "lark" else "slack"
        values = {**written(form, BEGIN["lark"]), "channel": channel}
        try:
            bot = await desk.bots.create(
                who,
                {
                    **patch(values, BEGIN[channel]),
                    "channel": channel,
                    "agent": await _some_agent(console, who),
                    "enabled": False,
                },
            )
        except InvalidError as error:
            problems, status = error.problems, 422
        except ConflictError as error:
            problems, status = (FieldProblem("id", str(error)),), 409
        else:
            return go(_path(bot, "platform"))
        return _first_page(console, request, channel=channel, values=values, problems=problems, status=status)

    async def shown(request: web.Request) -> web.Response:
        return await step_page(console, request, await _asked_bot(console, request))

    async def secrets_saved(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        asked = SECRETS[bot.channel]
        values = written(await sent(request), asked)
        document = patch(values, asked)
        missing = [
            FieldProblem(one.name, say(request)("setup.secret.missing"))
            for one in asked
            if not one.optional and not values[one.name] and not bot.credentials[_last(one)].set
        ]
        if missing:
            return await step_page(console, request, bot, values=values, problems=missing, status=422)
        try:
            await desk.bots.change(caller(request), bot.id, document, None)
        except InvalidError as error:
            return await step_page(console, request, bot, values=values, problems=error.problems, status=422)
        return go(_path(bot, _behind(bot, "secrets")), done="saved")

    async def agent_chosen(request: web.Request) -> web.Response:
        bot, form = await _asked_bot(console, request), await sent(request)
        chosen = form.get("agent", "")
        try:
            await desk.bots.change(caller(request), bot.id, {"agent": chosen}, None)
        except InvalidError as error:
            return await step_page(console, request, bot, problems=error.problems, status=422)
        return go(_path(bot, _behind(bot, "agent")), done="saved")

    async def enabled(request: web.Request) -> web.Response:
        bot = await _asked_bot(console, request)
        await desk.bots.change(caller(request), bot.id, {"enabled": True}, None)
        return go(_path(bot, "enable"), done="bot_enabled")

    return [
        web.get("/add", asked_for_new),
        web.post("/add", begun),
        web.get("/bots/{id}/setup/{step}", shown),
        web.post("/bots/{id}/setup/secrets", secrets_saved),
        web.post("/bots/{id}/setup/agent", agent_chosen),
        web.post("/bots/{id}/setup/enable", enabled),
    ]


async def _asked_bot(console: Console, request: web.Request) -> BotView:
    return await console.administration.bots.get(caller(request), request.match_info["id"])


async def _some_agent(console: Console, who: Principal) -> str:
    """A bot needs one from its beginning; which one is asked later."""
    agents = await console.administration.agents.list(who)
    if agents:
        return next((one.id for one in agents if one.id == "default"), agents[0].id)
    document: dict[str, JsonValue] = {"id": PLACEHOLDER, "provider": "echo"}
    return (await console.administration.agents.create(who, document)).id


def _first_page(
    console: Console,
    request: web.Request,
    *,
    channel: str,
    values: Mapping[str, str],
    problems: Sequence[FieldProblem] = (),
    status: int = 200,
) -> web.Response:
    form = make_form(say(request), BEGIN["lark"], values, about="bot", problems=problems)
    return console.page(
        request,
        "setup_begin.html",
        status=status,
        form=form,
        channel=channel if channel in STEPS else "slack",
        open_advanced=any(found.field == "api_base_url" for found in problems),
    )


async def step_page(
    console: Console,
    request: web.Request,
    bot: BotView,
    *,
    values: Mapping[str, str] | None = None,
    problems: Sequence[FieldProblem] = (),
    status: int = 200,
    tried: Mapping[str, object] | None = None,
) -> web.Response:
    """The page of the step in the address; of a form that was sent, its own. ``tried``: what a test found."""
    desk, who, speak = console.administration, caller(request), say(request)
    here = request.match_info.get("step") or request.path.rpartition("/")[2]
    if here not in STEPS[bot.channel]:
        raise web.HTTPNotFound
    if here != "test":
        check(request, Permission.CONFIGURE, bot.id)
    agents = await desk.agents.list(who)
    secrets = make_form(
        speak,
        SECRETS[bot.channel],
        values or {},
        about="bot",
        problems=problems,
        locked=bot.provisioned,
        placeholders=secret_placeholders(bot, speak),
    )
    return console.page(
        request,
        f"setup_{here}.html",
        status=status,
        bot=bot,
        step=here,
        steps=STEPS[bot.channel],
        behind=_behind(bot, here),
        manifest=await desk.bots.manifest(who, bot.id),
        agents=agents,
        secrets=secrets,
        asked_secrets=SECRETS[bot.channel],
        problems=problems,
        repeats=any(one.provider == "echo" for one in agents if one.id == bot.agent),
        locked=bot.provisioned or not may(request, Permission.CONFIGURE, bot.id),
        status_of=await status_of(console, who, bot),
        expected=await expected_events(console, who, bot),
        **(tried or {"findings": (), "done_testing": False, "all_well": False}),
    )


def _behind(bot: BotView, here: str) -> str:
    """The step after this one; behind the last, the last."""
    steps = STEPS[bot.channel]
    return steps[min(steps.index(here) + 1, len(steps) - 1)]


def _last(one: Asked) -> str:
    return one.name.rpartition(".")[2]


def _path(bot: BotView, here: str) -> str:
    return f"/console/bots/{step(bot.id)}/setup/{here}"
