"""The token of each workspace in which the app is, as it is stored now, for the calls of one process.

Invariants: the store is asked about a workspace at most once in ``FRESH_FOR`` seconds, and once for all that wait;
a token is renewed by at most one task of this process, which a caller that is cancelled does not end.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
from pydantic import BaseModel

from channels.sealing import SealBrokenError
from channels.slack.install.installation import Installation
from channels.slack.install.installations import Installations, Kept
from channels.slack.install.renewal import Renewal
from channels.slack.web_api import Call, TokenSource, WebApi
from conversation.clock import Clock
from conversation.outbound import DeliveryDelayedError, DeliveryRefusedError
from conversation.stores.port import StoreUnavailableError

FRESH_FOR = 30.0
"""Seconds for which what the store said is believed: so long a workspace that another process was told of as
uninstalled may still be called, and Slack refuses that."""

STORE_AGAIN = 2.0
"""Seconds after which a call that found the store away may be repeated."""

UNSEALED_AGAIN = 10.0
"""Seconds after which a call that found its token sealed with a key unknown here may be repeated: another replica, or
this one after its restart, has the key."""

RENEW_AGAIN = 30.0
"""Seconds between two attempts to renew a token that still holds."""

MOST_KNOWN = 1_000
"""Workspaces that are remembered."""

CLOSED_WITHIN = 15.0
"""Seconds for which the end waits for tokens that are being renewed: they would be lost."""

T = TypeVar("T")
V = TypeVar("V")

_PAGE = 200
_MOST_PAGES = 50


class _Team(BaseModel):
    id: str


class _More(BaseModel):
    next_cursor: str = ""


class _Teams(BaseModel):
    """``auth.teams.list``: the workspaces of an organisation that have the app."""

    teams: tuple[_Team, ...] = ()
    response_metadata: _More = _More()


@dataclass(frozen=True, slots=True)
class _Known:
    installation: Installation
    until: float


class Tokens:
    def __init__(
        self,
        installations: Installations,
        renewal: Renewal,
        clock: Clock,
        http: aiohttp.ClientSession,
        base_url: str,
    ) -> None:
        self._installations = installations
        self._renewal = renewal
        self._clock = clock
        self._http = http
        self._base_url = base_url
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._organisations: OrderedDict[str, str] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Installation]] = {}
        self._renewing: dict[str, asyncio.Task[Kept | None]] = {}
        self._not_before: dict[str, float] = {}

    def source(self, team: str) -> TokenSource:
        """Of a workspace, whether the app is in it or not."""
        return _Source(self, team)

    def note(self, team: str, organisation: str) -> None:
        """An event told that this workspace has the app by its organisation's installation."""
        _remember(self._organisations, team, organisation)

    def forget(self, place: str) -> None:
        """The installation of this workspace or organisation has changed."""
        for team, known in list(self._known.items()):
            if known.installation.place == place:
                del self._known[team]

    async def get(self, team: str) -> str:
        """Raises DeliveryDelayedError, and DeliveryRefusedError where the app is not installed (any more)."""
        known = self._known.get(team)
        now = self._clock.now()
        if known is None or now >= known.until or not known.installation.holds(now):
            installation = await self._look_up(team)
        else:
            installation = known.installation
        if self._renewal.is_due(installation) and not installation.lost:
            renewing = self._renew(installation.place)
            if not installation.holds(now) and renewing is not None:
                installation = await self._renewed(renewing, team)
        if not installation.holds(now) and installation.lost:
            raise DeliveryRefusedError(
                f"the token of workspace {team} cannot be renewed ({installation.lost}); install the app there again"
            )
        if not installation.holds(now):
            raise DeliveryDelayedError(f"the token of workspace {team} is not renewed yet", RENEW_AGAIN)
        return installation.bot_token

    def drop(self, team: str, token: str) -> bool:
        known = self._known.get(team)
        if known is not None and known.installation.bot_token == token:
            del self._known[team]
        return True

    async def close(self) -> None:
        """Wait for what is being renewed, and end what only asks."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        if self._renewing:
            _, late = await asyncio.wait(self._renewing.values(), timeout=CLOSED_WITHIN)
            for renewing in late:
                renewing.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look_up(self, team: str) -> Installation:
        asking = self._asking.get(team)
        if asking is None:
            asking = self._asking[team] = asyncio.create_task(self._ask(team), name="slack-installation")
            asking.add_done_callback(lambda done: _retrieved(done, self._asking, team))
        return await asyncio.shield(asking)

    async def _ask(self, team: str) -> Installation:
        try:
            found = await self._find(team)
        except StoreUnavailableError:
            raise DeliveryDelayedError("the store is not available", STORE_AGAIN) from None
        except SealBrokenError as broken:
            raise DeliveryDelayedError(f"the installation cannot be read: {broken}", UNSEALED_AGAIN) from None
        if found is None:
            raise DeliveryRefusedError(f"the app is not installed in workspace {team}")
        _remember(self._known, team, _Known(found, self._clock.now() + FRESH_FOR))
        return found

    async def _find(self, team: str) -> Installation | None:
        """That of the workspace itself, else of the organisation to which it belongs."""
        kept = await self._installations.get(team)
        if kept is not None:
            return kept.installation
        organisation = self._organisations.get(team)
        if organisation is not None:
            kept = await self._installations.get(organisation)
            return None if kept is None else kept.installation
        async for one in self._installations.all():
            if one.is_enterprise_install and one.holds(self._clock.now()) and await self._has(one, team):
                self.note(team, one.place)
                return one
        return None

    async def _has(self, organisation: Installation, team: str) -> bool:
        api = WebApi(organisation.bot_token, self._http, self._base_url)
        cursor = ""
        for _ in range(_MOST_PAGES):
            arguments: dict[str, str | int] = {"limit": _PAGE} | ({"cursor": cursor} if cursor else {})
            try:
                page = await api.read(Call("auth.teams.list"), arguments, _Teams)
            except DeliveryRefusedError:
                return False
            if any(one.id == team for one in page.teams):
                return True
            cursor = page.response_metadata.next_cursor
            if not cursor:
                return False
        return False

    def _renew(self, place: str) -> asyncio.Task[Kept | None] | None:
        """None where that failed a moment ago."""
        now = asyncio.get_running_loop().time()
        if place not in self._renewing:
            if now < self._not_before.get(place, 0.0):
                return None
            self._not_before = {known: until for known, until in self._not_before.items() if until > now}
            self._not_before[place] = now + RENEW_AGAIN
            renewing = self._renewing[place] = asyncio.create_task(
                self._renewal.renew(place), name="slack-token-renewal"
            )
            renewing.add_done_callback(lambda done: self._after_renewal(done, place))
        return self._renewing[place]

    def _after_renewal(self, done: asyncio.Task[Kept | None], place: str) -> None:
        _retrieved(done, self._renewing, place)
        self.forget(place)
        if not done.cancelled() and done.exception() is None:
            kept = done.result()
            if kept is None or not self._renewal.is_due(kept.installation):
                self._not_before.pop(place, None)

    async def _renewed(self, renewing: asyncio.Task[Kept | None], team: str) -> Installation:
        try:
            kept = await asyncio.shield(renewing)
        except StoreUnavailableError:
            raise DeliveryDelayedError("the store is not available", STORE_AGAIN) from None
        except SealBrokenError as broken:
            raise DeliveryDelayedError(f"the installation cannot be read: {broken}", UNSEALED_AGAIN) from None
        if kept is None:
            raise DeliveryRefusedError(f"the app is not installed in workspace {team}")
        return kept.installation


class _Source:
    """``TokenSource`` of one workspace."""

    def __init__(self, tokens: Tokens, team: str) -> None:
        self._tokens = tokens
        self._team = team

    async def get(self) -> str:
        return await self._tokens.get(self._team)

    def drop(self, token: str) -> bool:
        return self._tokens.drop(self._team, token)


def _remember(known: OrderedDict[str, V], team: str, value: V) -> None:
    known.pop(team, None)
    known[team] = value
    if len(known) > MOST_KNOWN:
        known.popitem(last=False)


def _retrieved(done: asyncio.Task[T], tasks: dict[str, asyncio.Task[T]], name: str) -> None:
    """Whoever waited may have been cancelled: then nobody is left whom a failure concerns."""
    tasks.pop(name, None)
    if not done.cancelled():
        done.exception()
