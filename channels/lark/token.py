"""The tenant access token: asked for once, used by all calls.

Invariants: at most one request is under way however many wait for it, and a waiter that is cancelled does not
end it for the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from conversation.outbound import DeliveryError

REFRESH_BEFORE_END = 30 * 60.0
"""Seconds. Earlier the platform answers with the same token (docs: "自建应用获取 tenant_access_token")."""

RETRY_REFRESH = 30.0
"""Seconds for which a token that could not be renewed but still holds is used without asking again."""


class TenantToken:
    """``fetch`` asks the platform for (token, seconds to live); its DeliveryError goes to whoever waits."""

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]]) -> None:
        self._fetch = fetch
        self._token = ""
        self._fresh_until = 0.0
        self._valid_until = 0.0
        self._refresh: asyncio.Task[str] | None = None

    async def get(self) -> str:
        """The token. Raises what ``fetch`` raises if there is none that still holds."""
        now = asyncio.get_running_loop().time()
        if self._token and now < self._fresh_until:
            return self._token
        if self._refresh is None:
            self._refresh = asyncio.create_task(self._renew(), name="lark-tenant-token")
            self._refresh.add_done_callback(_retrieve)
        try:
            return await asyncio.shield(self._refresh)
        except DeliveryError:
            if self._token and now < self._valid_until:
                self._fresh_until = min(now + RETRY_REFRESH, self._valid_until)
                return self._token
            raise

    def drop(self, token: str) -> None:
        """The platform does not accept this token any more."""
        if token == self._token:
            self._token = ""

    async def close(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait((self._refresh,))

    async def _renew(self) -> str:
        try:
            token, life = await self._fetch()
        finally:
            self._refresh = None
        self._token = token
        self._valid_until = asyncio.get_running_loop().time() + life
        self._fresh_until = self._valid_until - min(REFRESH_BEFORE_END, life / 2)
        return token


def _retrieve(refresh: asyncio.Task[str]) -> None:
    """Every waiter may have been cancelled; then nobody is left whom a failure concerns."""
    if not refresh.cancelled():
        refresh.exception()
