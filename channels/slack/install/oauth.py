"""Slack's method ``oauth.v2.access``: a code for an installation, and a refresh token for the next tokens (docs:
authentication/installing-with-oauth, authentication/using-token-rotation).
"""

from __future__ import annotations

import aiohttp
from pydantic import BaseModel, Field

from channels.slack.web_api import Call, WebApi

_ACCESS = "oauth.v2.access"


class _Place(BaseModel):
    id: str = ""
    name: str = ""


class _Person(BaseModel):
    id: str = ""


class Granted(BaseModel):
    """``expires_in`` is in seconds; 0 where the app's tokens do not rotate."""

    access_token: str = Field(min_length=1, repr=False)
    refresh_token: str = Field(default="", repr=False)
    expires_in: float = 0.0
    scope: str = ""
    bot_user_id: str = ""
    app_id: str = ""
    team: _Place | None = None
    enterprise: _Place | None = None
    is_enterprise_install: bool = False
    authed_user: _Person | None = None


class OAuth:
    """Every method raises DeliveryDelayedError, and SlackRefusedError with Slack's word for why not."""

    def __init__(
        self, client_id: str, client_secret: str, http: aiohttp.ClientSession, base_url: str
    ) -> None:
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._api = WebApi("", http, base_url)

    async def installed(self, code: str, redirect_url: str) -> Granted:
        form = {**self._client, "code": code, "redirect_uri": redirect_url}
        return await self._api.submit(Call(_ACCESS), form, Granted)

    async def renewed(self, refresh_token: str) -> Granted:
        """The refresh token is used up by this, also where no answer came."""
        form = {**self._client, "grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._api.submit(Call(_ACCESS), form, Granted)
