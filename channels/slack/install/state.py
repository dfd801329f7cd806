"""The state that goes to Slack and comes back: signed, for one browser, for ten minutes, for one use.

Invariants:

- nobody but us makes a state that is accepted, and it is accepted from the browser that it was made for: whoever is
  led to the way back by somebody else's link installs nothing;
- what is stored is that a state was used, by the first of all replicas to do so. To begin costs nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode

from pydantic import BaseModel, ConfigDict

from channels.installing import InstallError, Trouble
from conversation.clock import Clock
from conversation.stored import Stored
from conversation.stores.records import RecordConflictError, Records

USED = "slack-oauth-state"
"""Records of used states, which the janitor forgets after ``expires_at``."""

GOOD_FOR = 600.0
"""Seconds."""

_MOST_DIGITS = 12


class _Used(BaseModel):
    model_config = ConfigDict(frozen=True)

    expires_at: float


_stored = Stored("turnkeeper.oauth_state.v1", _Used)


class States:
    def __init__(self, bot: str, client_secret: str, records: Records, clock: Clock) -> None:
        self._bot = bot
        self._key = hashlib.sha256(b"turnkeeper oauth state" + client_secret.encode()).digest()
        self._records = records
        self._clock = clock

    def make(self, browser: str) -> str:
        return self._signed(str(int(self._clock.now() + GOOD_FOR)), secrets.token_urlsafe(18), browser)

    async def use(self, state: str, browser: str) -> None:
        """Raises InstallError, and StoreUnavailableError."""
        expires, _, rest = state.partition(".")
        nonce, _, _ = rest.partition(".")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= _MOST_DIGITS):
            raise InstallError(Trouble.EXPIRED, "the state is not ours")
        ours = self._signed(expires, nonce, browser)
        if not browser or not hmac.compare_digest(ours.encode(), state.encode()):
            raise InstallError(Trouble.EXPIRED, "the state is not ours, or was begun in another browser")
        if self._clock.now() > int(expires):
            raise InstallError(Trouble.EXPIRED, "the state is too old")
        id = hashlib.sha256(state.encode()).hexdigest()
        try:
            await self._records.put(USED, id, _stored.write(_Used(expires_at=float(expires))), expected=0)
        except RecordConflictError:
            raise InstallError(Trouble.EXPIRED, "the state was used before") from None

    def _signed(self, expires: str, nonce: str, browser: str) -> str:
        about = f"{self._bot}\x1f{expires}\x1f{nonce}\x1f{browser}"
        mac = hmac.digest(self._key, about.encode("utf-8", "surrogatepass"), "sha256")
        return f"{expires}.{nonce}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
