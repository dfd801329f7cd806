"""Slack's side of an app that several workspaces install: the question whether it may, codes, tokens and their
rotation (docs: authentication/installing-with-oauth, authentication/using-token-rotation).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import web

from gateway.demo.slack_blocks import Json
from gateway.demo.slack_errors import SlackError
from gateway.demo.standin import Clock

TOKEN_LIFE = 12 * 3600.0
MOST_TOKENS = 2
"""Of an installation that are good at once."""


@dataclass(slots=True)
class Place:
    """A workspace, or (``org``) an organisation that installs the app for all of its ``teams``."""

    team: str
    enterprise: str = ""
    org: bool = False
    teams: tuple[str, ...] = ()
    tokens: dict[str, float] = field(default_factory=dict)
    """Those that are good, with the time at which they end."""
    refresh: str = ""

    @property
    def id(self) -> str:
        return self.enterprise if self.org else self.team


class OAuthDesk:
    """``rotating``: tokens live for 12 hours, and are renewed with refresh tokens that can be used once."""

    def __init__(
        self,
        clock: Clock,
        complain: Callable[[str], None],
        *,
        client_id: str,
        client_secret: str,
        redirect_url: str = "",
        rotating: bool = False,
    ) -> None:
        self._clock = clock
        self._complain = complain
        self._client = client_id, client_secret
        self.redirect_url = redirect_url
        """The one that the app's settings list."""
        self.rotating = rotating
        self.places: dict[str, Place] = {}
        self.choice = Place("T1")
        """The place that the next person installs the app in."""
        self.denies = False
        self.renewals = 0
        self.scope = ""
        """What the next installation is granted; empty: what was asked for."""
        self._asked_scope = ""
        self._codes: dict[str, Place] = {}

    async def authorize(self, request: web.Request) -> web.Response:
        """The page on which a person says yes (or no)."""
        asked = request.query
        if asked.get("client_id") != self._client[0]:
            return web.Response(status=400, text="unknown client_id")
        if asked.get("redirect_uri") != self.redirect_url:
            return web.Response(status=400, text="bad_redirect_uri")
        if not asked.get("scope"):
            self._complain("an app asked for no scope")
        self._asked_scope = asked.get("scope", "")
        if self.denies:
            back = {"error": "access_denied", "state": asked.get("state", "")}
        else:
            code = uuid.uuid4().hex
            self._codes[code] = self.choice
            back = {"code": code, "state": asked.get("state", "")}
        return web.Response(status=302, headers={"Location": f"{self.redirect_url}?{urlencode(back)}"})

    def access(self, asked: Json) -> Json:
        """``oauth.v2.access``. Raises SlackError."""
        if (asked.get("client_id"), asked.get("client_secret")) != self._client:
            raise SlackError("bad_client_secret")
        if asked.get("grant_type") == "refresh_token":
            given = asked.get("refresh_token")
            place = next((one for one in self.places.values() if one.refresh and one.refresh == given), None)
            if place is None:
                raise SlackError("invalid_refresh_token", fault=False)
            self.renewals += 1
            return self._granted(place)
        found = self._codes.pop(str(asked.get("code")), None)
        if found is None:
            raise SlackError("invalid_code", fault=False)
        if asked.get("redirect_uri") != self.redirect_url:
            raise SlackError("bad_redirect_uri")
        self.places[found.id] = found
        return self._granted(found)

    def place_of(self, token: object) -> Place:
        """Raises SlackError."""
        for place in self.places.values():
            ends = place.tokens.get(str(token))
            if ends is not None and ends <= self._clock():
                raise SlackError("token_expired", fault=False)
            if ends is not None:
                return place
        raise SlackError("invalid_auth", fault=False)

    def teams_of(self, token: object) -> frozenset[str]:
        place = self.place_of(token)
        return frozenset(place.teams if place.org else (place.team,))

    def organisation_of(self, team: str) -> str:
        """That by whose installation a workspace has the app; empty if by its own."""
        if team in self.places:
            return ""
        return next((one.enterprise for one in self.places.values() if team in one.teams), "")

    def _granted(self, place: Place) -> Json:
        token = f"xoxe.xoxb-{uuid.uuid4().hex}" if self.rotating else f"xoxb-{uuid.uuid4().hex}"
        place.tokens[token] = self._clock() + TOKEN_LIFE if self.rotating else float("inf")
        while len(place.tokens) > MOST_TOKENS:
            del place.tokens[next(iter(place.tokens))]
        answer: Json = {
            "access_token": token,
            "token_type": "bot",
            "scope": self.scope or self._asked_scope,
            "bot_user_id": "U0BOT",
            "app_id": "A0DEMO",
            "team": None if place.org else {"id": place.team, "name": f"Workspace {place.team}"},
            "enterprise": {"id": place.enterprise, "name": f"Org {place.enterprise}"}
            if place.enterprise
            else None,
            "is_enterprise_install": place.org,
            "authed_user": {"id": "U0ADMIN"},
        }
        if self.rotating:
            place.refresh = f"xoxe-1-{uuid.uuid4().hex}"
            answer |= {"refresh_token": place.refresh, "expires_in": int(TOKEN_LIFE)}
        return answer
