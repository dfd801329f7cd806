"""``turnkeeper dead-letters``: asks the running gateway, or where none answers opens its store."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal, Protocol
from urllib.parse import urlsplit

import orjson
from rich.console import Console
from rich.table import Table

from conversation.busy import Limits
from conversation.clock import SystemClock
from conversation.messages import InboundMessage
from conversation.stores.port import Admission, StoreUnavailableError, TurnStore
from gateway.api.client import ApiError, NoGatewayError, letters_at
from gateway.dead_letters import DeadLetters, Letter, NotRetryableError, Retried, Summary, UnknownLetterError
from gateway.settings import Settings
from gateway.wiring import limits_of_bots, make_store

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where such a server is reached
_COLUMNS = ("id", "at", "bot", "reason", "readable")


class CommandError(Exception):
    """It could not be done; one line says why, and what to do."""


class Letters(Protocol):
    """See ``DeadLetters``."""

    async def all(self) -> tuple[Summary, ...]: ...
    async def show(self, id: str) -> Letter: ...
    async def retry(self, id: str) -> Retried: ...
    async def drop(self, id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. ``id`` is empty for ``list``; ``url`` is the gateway's address if that was given."""

    action: Literal["list", "show", "retry", "drop"]
    id: str = ""
    url: str | None = None
    json: bool = False


Result = tuple[Summary, ...] | Letter | Retried | None


async def run(settings: Settings, wish: Wish, console: Console) -> None:
    """Do it and print what came of it. Raises CommandError."""
    show = partial(_print_json if wish.json else _print, console)
    try:
        show(wish, await _asked(settings, wish, partial(_fulfil, wish)))
    except (ApiError, NoGatewayError, UnknownLetterError, NotRetryableError, StoreUnavailableError) as error:
        raise CommandError(str(error)) from error


async def _fulfil(wish: Wish, letters: Letters) -> Result:
    match wish.action:
        case "list":
            return await letters.all()
        case "show":
            return await letters.show(wish.id)
        case "retry":
            return await letters.retry(wish.id)
        case "drop":
            await letters.drop(wish.id)
            return None


async def _asked(settings: Settings, wish: Wish, act: Callable[[Letters], Awaitable[Result]]) -> Result:
    token = settings.admin.token
    address = wish.url or address_of(settings)
    if wish.url is not None:
        if urlsplit(wish.url).scheme not in ("http", "https") or not urlsplit(wish.url).hostname:
            raise CommandError("--url must be an address such as http://127.0.0.1:8080")
        if token is None:
            raise CommandError("admin.token is not set; without, no gateway can be asked")
    if token is None:
        away = "admin.token is not set, so no gateway can be asked"
    elif address is None:
        away = "the gateway's port is not known (0); name its address with --url"
    else:
        try:
            async with letters_at(address, token.get_secret_value()) as letters:
                return await act(letters)
        except NoGatewayError as error:
            if wish.url is not None:
                raise
            away = str(error)
    async with _directly(settings, away) as letters:
        return await act(letters)


def address_of(settings: Settings) -> str | None:
    """Where the API of a gateway with these settings is reached from its own machine; None if it took any port."""
    host, port = settings.admin.address or (settings.server.host, settings.server.port)
    if not port:
        return None
    host = _LOOPBACK.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def _directly(settings: Settings, away: str) -> AsyncIterator[DeadLetters]:
    """On the store itself; ``away`` is why no gateway is asked."""
    if settings.store.kind == "memory":
        raise CommandError(f"{away}; what store.url memory: holds is in the gateway alone")
    if settings.store.kind == "sqlite" and not settings.store.path.exists():
        raise CommandError(
            f"{away}; and there is no {settings.store.path}: is this the gateway's working directory?"
        )
    store = make_store(settings, SystemClock())
    try:
        await store.open()
    except StoreUnavailableError as error:
        remedy = "; while a gateway runs on it, set admin.token and restart that, or stop it"
        raise CommandError(f"{away}; {error}{remedy if store.exclusive else ''}") from error
    try:
        yield DeadLetters(store.turns, partial(_admit, store.turns), limits_of_bots(settings))
    finally:
        await store.close()


async def _admit(turns: TurnStore, message: InboundMessage, limits: Limits) -> Admission:
    """For gateways to pick up."""
    session = await turns.open_session()
    try:
        return await turns.admit(message, session=session, may_claim=False, limits=limits)
    finally:
        await turns.close_session(session)


def _print_json(console: Console, wish: Wish, result: Result) -> None:
    match result:
        case None:
            document: object = {"id": wish.id, "dropped": True}
        case tuple():
            document = [letter.model_dump(mode="json") for letter in result]
        case _:
            document = result.model_dump(mode="json")
    _line(console, orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def _print(console: Console, wish: Wish, result: Result) -> None:
    match result:
        case None:
            _line(console, f"dropped {wish.id}")
        case ():
            _line(console, "no dead letters")
        case tuple():
            _print_table(console, result)
        case Retried(turn=turn, reference=reference):
            _line(console, f"queued again: its answer is turn {turn} (ref {reference})")
        case Letter():
            _print_letter(console, result)


def _print_table(console: Console, letters: Sequence[Summary]) -> None:
    rows = [(one.id, _time(one.at), one.bot, one.reason, "yes" if one.readable else "no") for one in letters]
    if console.is_terminal:
        table = Table(box=None, pad_edge=False, collapse_padding=True)
        for name in _COLUMNS:
            # However narrow the terminal, an id is there to be copied.
            table.add_column(name, overflow="fold", min_width=len(rows[0][0]) if name == "id" else None)
        for row in rows:
            table.add_row(*row)
        console.print(table, highlight=False)
        return
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    for row in (_COLUMNS, *rows):
        _line(console, "  ".join(map(str.ljust, row, widths)).rstrip())


def _print_letter(console: Console, letter: Letter) -> None:
    facts = {
        "id": letter.id,
        "reference": letter.reference,
        "at": _time(letter.at),
        "bot": letter.bot,
        "channel": letter.channel,
        "conversation": letter.conversation,
        "reason": letter.reason,
    }
    for name, fact in facts.items():
        _line(console, f"{name:<13}{fact}")
    if not letter.readable:
        _line(
            console, "\nThe record is damaged, or was written by a later version: there is no text to show."
        )
    for message in letter.messages:
        _line(console, f"\n{_time(message.sent_at)} {harmless(message.sender)}:\n{harmless(message.text)}")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True, emoji=False)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def harmless(text: str) -> str:
    """Somebody else's text, without what a terminal would obey."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"
        else char
        for char in text
    )
