"""``turnkeeper bots``, ``agents``, ``conversations`` and so on: the admin API at a terminal."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable, Sequence

from pydantic import BaseModel, JsonValue
from rich.console import Console

from gateway.admin.agents import AgentView, Ping
from gateway.admin.audit import AuditView
from gateway.admin.bots import BotView
from gateway.admin.conversation_views import ConversationDetail, ConversationView
from gateway.admin.conversations import CommandDone
from gateway.admin.installations import InstallationView
from gateway.admin.paging import Page
from gateway.admin.status import StatusView
from gateway.admin.tokens import CreatedToken, TokenView
from gateway.api.client import ApiClient, ApiError, NoGatewayError, api_at, path
from gateway.api.turns import TurnStories
from gateway.api.watching import TestResult
from gateway.commands.errors import CommandError
from gateway.commands.gateway_address import address_of, checked
from gateway.commands.given import document
from gateway.commands.printing import harmless, print_facts, print_json, print_line, print_table, time
from gateway.settings import Settings

Options = argparse.Namespace
Result = BaseModel | Sequence[BaseModel] | str
"""A thing, several, or a sentence about what was done."""


async def run(settings: Settings, options: Options, console: Console) -> bool:
    """Do it and print what came of it; whether all was well. Raises CommandError."""
    token = settings.admin.token
    address = checked(options.url) if options.url else address_of(settings)
    if token is None:
        raise CommandError("admin.token is not set; without, no gateway can be asked")
    if address is None:
        raise CommandError("the gateway's port is not known (0); name its address with --url")
    try:
        async with api_at(address, token.get_secret_value()) as api:
            result = await _ACTIONS[options.command, options.action](api, options)
    except (ApiError, NoGatewayError) as error:
        raise CommandError(str(error)) from error
    _print(console, result, json=options.json)
    return not (isinstance(result, (Ping, TestResult)) and not result.ok)


async def _bots(api: ApiClient, _: Options) -> Result:
    return await api.get_all(path("bots"), Page[BotView])


async def _bot(api: ApiClient, options: Options) -> Result:
    return await api.get(path("bots", options.id), BotView)


async def _create_bot(api: ApiClient, options: Options) -> Result:
    given = document(options.set, options.secret, under="credentials")
    return await api.post(
        path("bots"), BotView, {"id": options.id, "channel": options.channel, "agent": options.agent, **given}
    )


async def _change_bot(api: ApiClient, options: Options) -> Result:
    known = await api.get(path("bots", options.id), BotView)
    change = document(options.set, options.secret, under="credentials")
    return await api.patch(path("bots", options.id), BotView, change, known.version)


async def _remove_bot(api: ApiClient, options: Options) -> Result:
    known = await api.get(path("bots", options.id), BotView)
    await api.delete(path("bots", options.id), known.version)
    return f"removed {options.id}"


async def _installations(api: ApiClient, options: Options) -> Result:
    return await api.get_all(path("bots", options.id, "installations"), Page[InstallationView])


async def _uninstall(api: ApiClient, options: Options) -> Result:
    await api.delete(path("bots", options.id, "installations", options.place))
    return f"{options.id} is used no more in {options.place}; remove the app there too"


async def _bot_status(api: ApiClient, options: Options) -> Result:
    return await api.get(path("bots", options.id, "status"), StatusView)


async def _test_bot(api: ApiClient, options: Options) -> Result:
    return await api.post(path("bots", options.id, "self-test"), TestResult)


async def _agents(api: ApiClient, _: Options) -> Result:
    return await api.get_all(path("agents"), Page[AgentView])


async def _agent(api: ApiClient, options: Options) -> Result:
    return await api.get(path("agents", options.id), AgentView)


async def _create_agent(api: ApiClient, options: Options) -> Result:
    given = document(options.set, options.secret, under="")
    named = {"id": options.id, "provider": options.provider, "model": options.model}
    return await api.post(path("agents"), AgentView, {**named, **given})


async def _change_agent(api: ApiClient, options: Options) -> Result:
    known = await api.get(path("agents", options.id), AgentView)
    change = document(options.set, options.secret, under="")
    return await api.patch(path("agents", options.id), AgentView, change, known.version)


async def _remove_agent(api: ApiClient, options: Options) -> Result:
    known = await api.get(path("agents", options.id), AgentView)
    await api.delete(path("agents", options.id), known.version)
    return f"removed {options.id}"


async def _ping(api: ApiClient, options: Options) -> Result:
    return await api.post(path("agents", options.id, "ping"), Ping)


async def _conversations(api: ApiClient, options: Options) -> Result:
    query = {"bot": options.bot} if options.bot else {}
    return await api.get_all(path("conversations"), Page[ConversationView], query)


async def _conversation(api: ApiClient, options: Options) -> Result:
    return await api.get(path("conversations", options.key), ConversationDetail)


def _command(kind: str) -> Callable[[ApiClient, Options], Awaitable[Result]]:
    async def act(api: ApiClient, options: Options) -> Result:
        wish: dict[str, JsonValue] = {"type": kind}
        if kind == "message":
            wish |= {"text": options.text} | ({"user": options.user} if options.user else {})
        elif kind == "bind":
            wish |= {"agent": options.agent}
        return await api.post(path("conversations", options.key, "commands"), CommandDone, wish)

    return act


async def _explain(api: ApiClient, options: Options) -> Result:
    return (await api.get(path("turns"), TurnStories, {"what": options.what})).items


async def _tokens(api: ApiClient, _: Options) -> Result:
    return await api.get_all(path("tokens"), Page[TokenView])


async def _create_token(api: ApiClient, options: Options) -> Result:
    wish: dict[str, JsonValue] = {"name": options.name, "role": options.role}
    if options.bot:
        wish["bots"] = list(options.bot)
    if options.expires_in:
        wish["expires_in"] = options.expires_in
    return await api.post(path("tokens"), CreatedToken, wish)


async def _revoke(api: ApiClient, options: Options) -> Result:
    await api.delete(path("tokens", options.id))
    return f"revoked {options.id}"


async def _audit(api: ApiClient, options: Options) -> Result:
    page = await api.get(path("audit"), Page[AuditView], {"limit": str(min(200, max(1, options.limit)))})
    return page.items


_ACTIONS: dict[tuple[str, str], Callable[[ApiClient, Options], Awaitable[Result]]] = {
    ("bots", "list"): _bots,
    ("bots", "show"): _bot,
    ("bots", "create"): _create_bot,
    ("bots", "change"): _change_bot,
    ("bots", "remove"): _remove_bot,
    ("bots", "installations"): _installations,
    ("bots", "uninstall"): _uninstall,
    ("bots", "status"): _bot_status,
    ("bots", "test"): _test_bot,
    ("agents", "list"): _agents,
    ("agents", "show"): _agent,
    ("agents", "create"): _create_agent,
    ("agents", "change"): _change_agent,
    ("agents", "remove"): _remove_agent,
    ("agents", "ping"): _ping,
    ("conversations", "list"): _conversations,
    ("conversations", "show"): _conversation,
    ("conversations", "say"): _command("message"),
    ("conversations", "stop"): _command("cancel"),
    ("conversations", "bind"): _command("bind"),
    ("conversations", "clear"): _command("clear"),
    ("conversations", "end"): _command("end"),
    ("turns", "explain"): _explain,
    ("tokens", "list"): _tokens,
    ("tokens", "create"): _create_token,
    ("tokens", "revoke"): _revoke,
    ("audit", "list"): _audit,
}

_COLUMNS: dict[type[BaseModel], tuple[str, ...]] = {
    BotView: ("id", "channel", "agent", "state", "provisioned", "problem"),
    InstallationView: ("place", "name", "organisation", "installed_at", "expires_at", "problem"),
    AgentView: ("id", "provider", "model", "bots", "provisioned", "problem"),
    ConversationView: ("key", "bot", "state", "turns", "agent", "active_at"),
    TokenView: ("id", "name", "role", "bots", "expires_at"),
    AuditView: ("at", "who", "action", "target", "detail"),
}


def _print(console: Console, result: Result, *, json: bool) -> None:
    if isinstance(result, str):
        print_json(console, {"done": result}) if json else print_line(console, result)
    elif isinstance(result, BaseModel):
        if json:
            print_json(console, result.model_dump(mode="json"))
        else:
            _print_one(console, result)
    elif json:
        print_json(console, [one.model_dump(mode="json") for one in result])
    elif not result:
        print_line(console, "nothing")
    else:
        _print_many(console, result)


def _print_many(console: Console, found: Sequence[BaseModel]) -> None:
    columns = _COLUMNS.get(type(found[0]))
    if columns is None:
        for one in found:
            _print_one(console, one)
            print_line(console, "")
        return
    rows = [[_cell(one.model_dump().get(name)) for name in columns] for one in found]
    print_table(console, columns, rows)


def _print_one(console: Console, one: BaseModel) -> None:
    """Facts first, then whatever is a list of things, each of them a line."""
    facts: dict[str, str] = {}
    lists: list[tuple[str, Iterable[BaseModel]]] = []
    for name in type(one).model_fields:
        value = getattr(one, name)
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            lists.append((name, value))
        elif isinstance(value, BaseModel):
            facts |= {f"{name}.{inner}": _cell(part) for inner, part in value.model_dump().items()}
        elif isinstance(value, dict):
            dumped = one.model_dump()[name]
            facts |= {f"{name}.{inner}": _cell(part) for inner, part in dumped.items()}
        else:
            facts[name] = _cell(value)
    print_facts(console, {name: fact for name, fact in facts.items() if fact})
    for name, things in lists:
        print_line(console, f"\n{name}")
        for thing in things:
            print_line(console, "  " + "  ".join(filter(None, map(_cell, thing.model_dump().values()))))


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return harmless(value)
        case dict():
            return ", ".join(
                f"{key} {_cell(part)}".rstrip() for key, part in value.items() if part is not None
            )
        case tuple() | list() | frozenset():
            return ", ".join(map(_cell, value))
        case _:
            return time(value) if hasattr(value, "strftime") else str(value)  # type: ignore[arg-type]  # a time then
