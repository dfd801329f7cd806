"""Renewing the token of an installation: once, whoever and however many need it.

Invariants:

- a refresh token can be used once, so one process at a time exchanges it: whoever wrote ``renewing_until`` into the
  installation, which the store grants to one. The claim outlasts the exchange, and ends by itself with its process;
- what the exchange gave is used at once, and kept until it is stored, however long the store is away: only a process
  that dies between the two loses it. The old token is good until it expires, which is hours later, and whoever tries
  next learns that the refresh token is used up: then the installation is ``lost``, and an admin is told.
"""

from __future__ import annotations

import asyncio

import structlog

from channels.slack.errors import SlackRefusedError
from channels.slack.install.installation import Installation
from channels.slack.install.installations import Installations, Kept
from channels.slack.install.oauth import Granted, OAuth
from conversation.clock import Clock
from conversation.outbound import SEND_TIMEOUT, DeliveryDelayedError, DeliveryError
from conversation.stores.port import StoreUnavailableError
from conversation.stores.records import RecordConflictError

RENEW_BEFORE = 3 * 3600.0
"""Seconds before its end in which a token is renewed. It lives 12 hours (docs: using-token-rotation)."""

CLAIM = 6 * SEND_TIMEOUT
"""Seconds for which nobody else tries: the exchange takes ``SEND_TIMEOUT`` at most."""

LOOK_AGAIN = 0.25
"""Seconds between two looks at what another process is renewing."""

SAVE_AGAIN = 1.0
"""Seconds between two attempts to store new tokens while the store is away."""

_USED_UP = frozenset({"invalid_refresh_token", "token_revoked", "invalid_grant", "bad_client_secret"})

_log = structlog.get_logger()


class Renewal:
    def __init__(self, installations: Installations, oauth: OAuth, clock: Clock) -> None:
        self._installations = installations
        self._oauth = oauth
        self._clock = clock

    def is_due(self, installation: Installation) -> bool:
        return bool(installation.expires_at and self._clock.now() >= installation.expires_at - RENEW_BEFORE)

    async def renew(self, place: str) -> Kept | None:
        """The installation with a token that need not be renewed now, or as good as can be had; None if it is gone.

        To be run to its end, by one task for each place in this process. Raises DeliveryDelayedError and
        StoreUnavailableError.
        """
        while (kept := await self._installations.get(place)) is not None:
            installation, now = kept.installation, self._clock.now()
            if not self.is_due(installation) or not installation.refresh_token or installation.lost:
                return kept
            if installation.renewing_until > now:
                if installation.holds(now):
                    return kept
                await asyncio.sleep(LOOK_AGAIN)
                continue
            try:
                claimed = await self._installations.put(
                    installation.model_copy(update={"renewing_until": now + CLAIM}), expected=kept.version
                )
            except RecordConflictError:
                continue
            return await self._exchange(claimed)
        return None

    async def _exchange(self, claimed: Kept) -> Kept | None:
        installation = claimed.installation
        try:
            granted = await self._oauth.renewed(installation.refresh_token)
        except SlackRefusedError as refused:
            if refused.code not in _USED_UP:
                await self._give_back(claimed, installation)
                raise DeliveryDelayedError(str(refused), SEND_TIMEOUT) from None
            _log.warning(
                "slack token not renewable",
                bot=installation.bot,
                workspace=installation.place,
                cause=refused.code,
            )
            lost = installation.model_copy(update={"renewing_until": 0.0, "lost": refused.code})
            return await self._give_back(claimed, lost)
        except DeliveryError:
            await self._give_back(claimed, installation)
            raise
        return await self._save(claimed, granted)

    async def _give_back(self, claimed: Kept, installation: Installation) -> Kept | None:
        """End the claim; if the store is away it ends by itself."""
        ended = installation.model_copy(update={"renewing_until": 0.0})
        try:
            return await self._installations.put(ended, expected=claimed.version)
        except RecordConflictError:  # somebody installed the app again, or removed it
            return await self._installations.get(installation.place)
        except StoreUnavailableError:
            return Kept(ended, claimed.version)

    async def _save(self, claimed: Kept, granted: Granted) -> Kept | None:
        """Put new tokens into the installation, unless it has become another meanwhile."""
        renewed = with_tokens(claimed.installation, granted, self._clock.now())
        version = claimed.version
        while True:
            try:
                return await self._installations.put(renewed, expected=version)
            except RecordConflictError:
                found = await self._found(renewed.place)
                if found is None or found.installation.installed_at != renewed.installed_at:
                    return found
                version = found.version
            except StoreUnavailableError as error:
                _log.warning(
                    "slack token not stored yet", bot=renewed.bot, workspace=renewed.place, cause=str(error)
                )
                await asyncio.sleep(SAVE_AGAIN)

    async def _found(self, place: str) -> Kept | None:
        while True:
            try:
                return await self._installations.get(place)
            except StoreUnavailableError:
                await asyncio.sleep(SAVE_AGAIN)


def with_tokens(installation: Installation, granted: Granted, now: float) -> Installation:
    return installation.model_copy(
        update={
            "bot_token": granted.access_token,
            "refresh_token": granted.refresh_token,
            "expires_at": now + granted.expires_in if granted.expires_in else 0.0,
            "scopes": tuple(filter(None, granted.scope.split(","))) or installation.scopes,
            "renewing_until": 0.0,
            "lost": "",
        }
    )
