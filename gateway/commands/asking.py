"""Asks the running gateway, or where none answers opens its store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from conversation.clock import SystemClock
from conversation.stores.port import Store, StoreUnavailableError
from gateway.api.client import ApiClient, NoGatewayError, api_at
from gateway.commands.errors import CommandError
from gateway.commands.gateway_address import address_of, checked
from gateway.concrete import make_store
from gateway.settings import Settings

T = TypeVar("T")


async def asked(
    settings: Settings,
    url: str | None,
    over_http: Callable[[ApiClient], Awaitable[T]],
    on_the_store: Callable[[Store], Awaitable[T]],
) -> T:
    """``url`` is what was given with --url: then that gateway is asked, or none. Raises CommandError, NoGatewayError,
    and what the one that was asked raised.
    """
    token = settings.admin.token
    address = checked(url) if url is not None else address_of(settings)
    if url is not None and token is None:
        raise CommandError("admin.token is not set; without, no gateway can be asked")
    if token is None:
        away = "admin.token is not set, so no gateway can be asked"
    elif address is None:
        away = "the gateway's port is not known (0); name its address with --url"
    else:
        try:
            async with api_at(address, token.get_secret_value()) as api:
                return await over_http(api)
        except NoGatewayError as error:
            if url is not None:
                raise
            away = str(error)
    async with _opened(settings, away) as store:
        return await on_the_store(store)


@asynccontextmanager
async def _opened(settings: Settings, away: str) -> AsyncIterator[Store]:
    """``away`` is why no gateway is asked."""
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
        yield store
    finally:
        await store.close()
