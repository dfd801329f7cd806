"""Conversations: listed, looked at, and told what to do."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiohttp import web
from pydantic import JsonValue, TypeAdapter, ValidationError

from gateway.admin.access import Permission
from gateway.admin.conversations import CommandInput
from gateway.admin.errors import AdminError, ConflictError, FieldProblem, InvalidError
from gateway.admin.fields import invalid_fields
from gateway.console.console import PAGE, Console, caller, go, step
from gateway.console.forms import sent

_Commands: TypeAdapter[CommandInput] = TypeAdapter(CommandInput)


def routes(console: Console) -> list[web.RouteDef]:
    desk = console.administration

    async def listed(request: web.Request) -> web.Response:
        who, bot = caller(request), request.query.get("bot") or None
        bots = await desk.bots.list(who)
        page = await desk.conversations.list(who, bot=bot, cursor=request.query.get("cursor"), limit=PAGE)
        return console.page(request, "conversations.html", page=page, bots=bots, bot=bot)

    async def shown(request: web.Request) -> web.Response:
        return await page_of(request)

    async def page_of(
        request: web.Request,
        *,
        values: Mapping[str, str] | None = None,
        problem: str = "",
        status: int = 200,
    ) -> web.Response:
        who = caller(request)
        found = await desk.conversations.get(who, request.match_info["key"])
        operates = who.may(Permission.OPERATE, found.bot)
        return console.page(
            request,
            "conversation.html",
            status=status,
            conversation=found,
            reply=None,
            agents=await desk.agents.list(who) if operates else (),
            operates=operates,
            values=values or {},
            problem=problem,
            wish=secrets.token_urlsafe(12),
        )

    async def followed(request: web.Request) -> web.StreamResponse:
        who, key = caller(request), request.match_info["key"]
        bot = (await desk.conversations.get(who, key)).bot

        async def looks() -> AsyncGenerator[dict[str, object], None]:
            async with aclosing(desk.live.watch(who, bot=bot)) as changes:
                async for lanes in changes:
                    lane = next((one for one in lanes if one.conversation.key == key), None)
                    yield {
                        "conversation": await desk.conversations.get(who, key),
                        "reply": None if lane is None else lane.reply,
                    }

        return await console.stream(request, "conversation_now.html", looks(), lambda values: values)

    async def told(request: web.Request) -> web.Response:
        form = await sent(request)
        who, key, wish = caller(request), request.match_info["key"], form.get("request", "")
        try:
            done = await desk.conversations.command(who, key, _command(form), wish)
        except (InvalidError, ConflictError) as error:
            return await page_of(request, values=form, problem=_said(error), status=422)
        back = form.get("back", "")
        if done.type == "cancel":
            told = "stopped" if done.done else "nothing_to_stop"
            return go("/console/live" if back == "live" else _path(key), done=told)
        return go(_path(key), done="command")

    return [
        web.get("/conversations", listed),
        web.get("/conversations/{key}", shown),
        web.post("/conversations/{key}", told),
        web.get("/conversations/{key}/now", followed),
    ]


def _command(form: Mapping[str, str]) -> CommandInput:
    """Raises InvalidError."""
    kind = form.get("type", "")
    document: dict[str, JsonValue] = {"type": kind}
    if kind == "message":
        document["text"] = form.get("text", "").replace("\r\n", "\n")
    if kind == "bind":
        document["agent"] = form.get("agent", "")
    if not form.get("request"):
        raise InvalidError([FieldProblem("request", "is missing; load the page again")])
    try:
        return _Commands.validate_python(document)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _said(error: AdminError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _path(key: str) -> str:
    return f"/console/conversations/{step(key)}"
