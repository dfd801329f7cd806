"""The workspaces in which one app is: to each its token, its budget and its outbound."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import aiohttp

from channels.by_tenant import ByTenant, EnclosuresByTenant, SourceByTenant
from channels.downloads import Downloads
from channels.leased import Budget
from channels.port import ChannelPolicy, Finding
from channels.received import Upkeep
from channels.sealing import NO_KEY, NoSealer, Sealer
from channels.slack.enclosures import SlackEnclosures
from channels.slack.files import HOSTS
from channels.slack.install.installation import Installation
from channels.slack.install.installations import Installations
from channels.slack.install.installer import SlackInstaller, missing_scopes
from channels.slack.install.lifecycle import Home
from channels.slack.install.oauth import OAuth
from channels.slack.install.renewal import Renewal
from channels.slack.install.state import States
from channels.slack.install.tokens import STORE_AGAIN, Tokens
from channels.slack.outbound import SlackOutbound
from channels.slack.source import SlackSource
from channels.slack.web_api import WebApi
from channels.watch import UNWATCHED, PlatformWatch
from conversation.clock import Clock
from conversation.outbound import DeliveryDelayedError, DeliveryError
from conversation.stores.permits import Permits
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import Records

MOST_AT_HAND = 1_000
"""Workspaces whose outbound and limits are kept."""

MOST_CHECKED = 100
"""Workspaces that ``turnkeeper check`` asks about."""

ONE_SECOND = 1.0
"""Slack tells the time of an event in whole seconds."""


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """``redirect_url`` is empty where the gateway does not know its own address."""

    bot: str
    client_id: str
    client_secret: str
    redirect_url: str
    authorize_url: str
    api_base_url: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where installations are kept, and sealed; ``sealer`` is None where no key is configured."""

    records: Records
    sealer: Sealer | None
    clock: Clock


@dataclass(frozen=True, slots=True)
class Workspace:
    api: WebApi
    outbound: SlackOutbound
    source: SlackSource
    enclosures: SlackEnclosures


class Workspaces:
    def __init__(
        self,
        app: OAuthApp,
        keeping: Keeping,
        *,
        http: aiohttp.ClientSession,
        policy: ChannelPolicy,
        permits: Permits | None,
        watch: PlatformWatch = UNWATCHED,
    ) -> None:
        self._app = app
        self._http = http
        self._policy = policy
        self._permits = permits
        self._watch = watch
        self._clock = keeping.clock
        self._at_hand: OrderedDict[str, Workspace] = OrderedDict()
        self._installations = Installations(
            app.bot, app.client_id, keeping.records, keeping.sealer or NoSealer()
        )
        oauth = OAuth(app.client_id, app.client_secret, http, app.api_base_url)
        renewal = Renewal(self._installations, oauth, keeping.clock)
        self._tokens = Tokens(self._installations, renewal, keeping.clock, http, app.api_base_url)
        self.installer = SlackInstaller(
            app.bot,
            app.client_id,
            app.redirect_url,
            app.authorize_url,
            installations=self._installations,
            states=States(app.bot, app.client_secret, keeping.records, keeping.clock),
            oauth=oauth,
            tokens=self._tokens,
            clock=keeping.clock,
            lacks=_lacks(app, keeping),
        )
        self._downloads = Downloads(HOSTS, app.api_base_url)
        self.outbound = ByTenant(self._outbound_of, self._make("").outbound)
        self.enclosures = EnclosuresByTenant(lambda team: self._of(team).enclosures)
        self.source = SourceByTenant(lambda team: self._of(team).source)

    def api(self, team: str) -> WebApi:
        return self._of(team).api

    @property
    def held_back(self) -> float:
        """Of the workspace that has to wait longest."""
        return max((one.outbound.held_back for one in self._at_hand.values()), default=0.0)

    def seen(self, home: Home, now: float) -> Upkeep | None:
        """An event came; what to do if it ended the installation."""
        if home.organisation and home.team != home.organisation:
            self._tokens.note(home.team, home.organisation)
        if not home.ended:
            return None

        async def forget() -> None:
            await self._installations.delete(home.place, before=(home.at or now) + ONE_SECOND)
            self._tokens.forget(home.place)

        return Upkeep(forget, home.ended)

    async def check(self) -> tuple[Finding, ...]:
        subject = "installations"
        if self.installer.lacks:
            return (Finding(subject, ok=False, detail=self.installer.lacks),)
        try:
            installed = [one async for one in self._installations.all()]
        except StoreUnavailableError as error:
            return (Finding(subject, ok=False, detail=str(error)),)
        if not installed:
            return (Finding(subject, ok=True, detail="none yet: open /slack/" + self._app.bot + "/install"),)
        return tuple([await self._checked(one) for one in installed[:MOST_CHECKED]])

    async def missing_scopes(self) -> tuple[str, ...] | None:
        """Those that some installation lacks; None if there is none yet. Raises DeliveryDelayedError."""
        try:
            lacking = [missing_scopes(one) async for one in self._installations.all()]
        except StoreUnavailableError as error:
            raise DeliveryDelayedError(str(error), STORE_AGAIN) from None
        return tuple(sorted({name for one in lacking for name in one})) if lacking else None

    async def close(self) -> None:
        for one in self._at_hand.values():
            await one.source.close()
        await self._downloads.close()
        await self._tokens.close()

    async def _checked(self, one: Installation) -> Finding:
        subject = f"workspace {one.name or one.place}"
        if one.lost:
            return Finding(
                subject,
                ok=False,
                detail=f"its token cannot be renewed ({one.lost}); install the app there again",
            )
        try:
            await self._api(one.place).ask_identity()
        except DeliveryError as error:
            return Finding(subject, ok=False, detail=str(error))
        return Finding(subject, ok=True, detail=one.place)

    def _outbound_of(self, team: str) -> SlackOutbound:
        return self._of(team).outbound

    def _of(self, team: str) -> Workspace:
        found = self._at_hand.pop(team, None) or self._make(team)
        self._at_hand[team] = found
        if len(self._at_hand) > MOST_AT_HAND:
            self._at_hand.popitem(last=False)
        return found

    def _api(self, team: str) -> WebApi:
        return WebApi(self._tokens.source(team), self._http, self._app.api_base_url, self._watch)

    def _make(self, team: str) -> Workspace:
        api = self._api(team)
        budget = Budget(f"slack:{self._app.client_id}:{team}", self._permits, self._watch)
        outbound = SlackOutbound(api, self._policy, budget)
        source = SlackSource(api, outbound.limits, self._downloads, outbound.known)
        return Workspace(api, outbound, source, SlackEnclosures(api, outbound.limits, self._downloads))


def _lacks(app: OAuthApp, keeping: Keeping) -> str:
    if keeping.sealer is None:
        return NO_KEY
    if not app.redirect_url:
        return "server.public_url is not set; set it to the address at which browsers reach this gateway, and restart"
    return ""
