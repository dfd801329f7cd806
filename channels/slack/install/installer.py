"""``channels.installing.Installer`` for a Slack app: OAuth v2 (docs: authentication/installing-with-oauth).

Bolt's own flow is not used: it has no adapter for our server, keeps tokens readable, and renews them without a lock
and at slack.com only.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import structlog

from channels.installing import InstallationView, Installed, InstallError, Trouble
from channels.slack.errors import SlackRefusedError
from channels.slack.install.installation import Installation
from channels.slack.install.installations import Installations
from channels.slack.install.oauth import Granted, OAuth
from channels.slack.install.renewal import with_tokens
from channels.slack.install.state import States
from channels.slack.install.tokens import Tokens
from channels.slack.manifest import SCOPES
from conversation.clock import Clock
from conversation.outbound import DeliveryError
from conversation.stores.port import StoreUnavailableError

AUTHORIZE_URL = "https://slack.com/oauth/v2/authorize"

_LONGEST = 2_000
"""Characters of what comes back from Slack."""

_log = structlog.get_logger()


class SlackInstaller:
    """``redirect_url`` is where Slack sends people back; it is one of the app's redirect URLs. ``lacks``: what the
    gateway's configuration has to get before anything can be installed, if anything.
    """

    def __init__(
        self,
        bot: str,
        client_id: str,
        redirect_url: str,
        authorize_url: str,
        *,
        installations: Installations,
        states: States,
        oauth: OAuth,
        tokens: Tokens,
        clock: Clock,
        lacks: str = "",
    ) -> None:
        self.lacks = lacks
        self._bot = bot
        self._client_id = client_id
        self._redirect_url = redirect_url
        self._authorize_url = authorize_url
        self._installations = installations
        self._states = states
        self._oauth = oauth
        self._tokens = tokens
        self._clock = clock

    def begin(self, browser: str) -> str:
        self._check_ready()
        query = {
            "client_id": self._client_id,
            "scope": ",".join(sorted(need.name for need in SCOPES)),
            "redirect_uri": self._redirect_url,
            "state": self._states.make(browser),
        }
        return f"{self._authorize_url}?{urlencode(query)}"

    async def finish(self, query: Mapping[str, str], browser: str) -> Installed:
        self._check_ready()
        state, code, error = (query.get(name, "")[:_LONGEST] for name in ("state", "code", "error"))
        try:
            await self._states.use(state, browser)
            if error or not code:
                raise InstallError(Trouble.DENIED, "Slack sent no code")
            granted = await self._oauth.installed(code, self._redirect_url)
            installation = self._of(granted)
            await self._installations.replace(installation)
        except SlackRefusedError as refused:
            raise InstallError(Trouble.REFUSED, str(refused)) from None
        except (DeliveryError, StoreUnavailableError) as away:
            raise InstallError(Trouble.UNAVAILABLE, str(away)) from None
        self._tokens.forget(installation.place)
        _log.info("installed", bot=self._bot, workspace=installation.place)
        team = installation.team_id or installation.enterprise_id
        return Installed(installation.name, f"https://app.slack.com/client/{team}")

    async def installations(self) -> tuple[InstallationView, ...]:
        return tuple([_view(one) async for one in self._installations.all()])

    async def forget(self, place: str) -> bool:
        forgotten = await self._installations.delete(place, before=float("inf"))
        self._tokens.forget(place)
        return forgotten

    def _check_ready(self) -> None:
        if self.lacks:
            raise InstallError(Trouble.NOT_READY, self.lacks)

    def _of(self, granted: Granted) -> Installation:
        """Raises InstallError."""
        whole = granted.is_enterprise_install
        place = granted.enterprise if whole else granted.team
        if place is None or not place.id:
            raise InstallError(Trouble.REFUSED, "Slack did not say into what the app was installed")
        now = self._clock.now()
        return with_tokens(
            Installation(
                bot=self._bot,
                client_id=self._client_id,
                enterprise_id="" if granted.enterprise is None else granted.enterprise.id,
                team_id="" if whole or granted.team is None else granted.team.id,
                is_enterprise_install=whole,
                name=place.name,
                app_id=granted.app_id,
                bot_user_id=granted.bot_user_id,
                bot_token=granted.access_token,
                installed_at=now,
                installed_by="" if granted.authed_user is None else granted.authed_user.id,
            ),
            granted,
            now,
        )


def _view(installation: Installation) -> InstallationView:
    problem = None
    if missing := missing_scopes(installation):
        problem = f"it lacks {', '.join(missing)}; install the app there again"
    if installation.lost:
        problem = f"its token cannot be renewed ({installation.lost}); install the app there again"
    return InstallationView(
        place=installation.place,
        name=installation.name,
        organisation=installation.is_enterprise_install,
        scopes=installation.scopes,
        installed_at=installation.installed_at,
        installed_by=installation.installed_by,
        expires_at=installation.expires_at or None,
        problem=problem,
    )


def missing_scopes(installation: Installation) -> tuple[str, ...]:
    """Those that the bot cannot do without: the app may have asked for fewer when it was installed."""
    return tuple(need.name for need in SCOPES if not need.optional and need.name not in installation.scopes)
