"""``turnkeeper dead-letters``: asks the running gateway, or where none answers opens its store."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from rich.console import Console

from conversation.busy import Limits
from conversation.messages import InboundMessage
from conversation.stores.port import Admission, Store, StoreUnavailableError, TurnStore
from gateway.admin.access import Principal
from gateway.admin.audit import Audit
from gateway.admin.dead_letters import DeadLetters, Letter, Retried, Summary
from gateway.admin.errors import AdminError
from gateway.admin.paging import Page
from gateway.api.client import ApiClient, ApiError, NoGatewayError, path
from gateway.commands.asking import asked
from gateway.commands.errors import CommandError
from gateway.commands.printing import harmless, print_facts, print_json, print_line, print_table, time
from gateway.concrete import limits_of_bots
from gateway.settings import Settings

_COLUMNS = ("id", "at", "bot", "reason", "readable")


class Letters(Protocol):
    """See ``DeadLetters``, asked for all."""

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
    except (ApiError, NoGatewayError, AdminError, StoreUnavailableError) as error:
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
    async def of_the_store(store: Store) -> Result:
        admit, audit = partial(_admit, store.turns), Audit(store.audit)
        return await act(_OfTheStore(DeadLetters(store.turns, admit, limits_of_bots(settings), audit)))

    return await asked(settings, wish.url, lambda api: act(_OfTheApi(api)), of_the_store)


class _OfTheApi:
    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def all(self) -> tuple[Summary, ...]:
        return await self._api.get_all(path("dead-letters"), Page[Summary])

    async def show(self, id: str) -> Letter:
        return await self._api.get(path("dead-letters", id), Letter)

    async def retry(self, id: str) -> Retried:
        return await self._api.post(path("dead-letters", id, "retry"), Retried)

    async def drop(self, id: str) -> None:
        await self._api.delete(path("dead-letters", id))


class _OfTheStore:
    """For whoever can open it: they could change it as well."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters
        self._who = Principal("terminal", "admin")

    async def all(self) -> tuple[Summary, ...]:
        page = await self._letters.page(self._who, cursor=None, limit=sys.maxsize - 1)
        return page.items

    async def show(self, id: str) -> Letter:
        return await self._letters.show(self._who, id)

    async def retry(self, id: str) -> Retried:
        return await self._letters.retry(self._who, id)

    async def drop(self, id: str) -> None:
        await self._letters.drop(self._who, id)


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
            print_json(console, {"id": wish.id, "dropped": True})
        case tuple():
            print_json(console, [letter.model_dump(mode="json") for letter in result])
        case _:
            print_json(console, result.model_dump(mode="json"))


def _print(console: Console, wish: Wish, result: Result) -> None:
    match result:
        case None:
            print_line(console, f"dropped {wish.id}")
        case ():
            print_line(console, "no dead letters")
        case tuple():
            _print_table(console, result)
        case Retried(turn=turn, reference=reference):
            print_line(console, f"queued again: its answer is turn {turn} (ref {reference})")
        case Letter():
            _print_letter(console, result)


def _print_table(console: Console, letters: Sequence[Summary]) -> None:
    rows = [(one.id, time(one.at), one.bot, one.reason, "yes" if one.readable else "no") for one in letters]
    print_table(console, _COLUMNS, rows)


def _print_letter(console: Console, letter: Letter) -> None:
    print_facts(
        console,
        {
            "id": letter.id,
            "reference": letter.reference,
            "at": time(letter.at),
            "bot": letter.bot,
            "channel": letter.channel,
            "conversation": letter.conversation,
            "reason": letter.reason,
        },
    )
    if letter.messages is None:
        print_line(console, "\nWhat was written is not shown to a role that may not read texts.")
        return
    if not letter.readable:
        print_line(
            console, "\nThe record is damaged, or was written by a later version: there is no text to show."
        )
    for message in letter.messages:
        print_line(
            console, f"\n{time(message.sent_at)} {harmless(message.sender)}:\n{harmless(message.text)}"
        )
