"""``turnkeeper secrets rotate``."""

from __future__ import annotations

from rich.console import Console

from conversation.stores.port import Store, StoreUnavailableError
from gateway.admin.access import Principal
from gateway.admin.audit import Audit
from gateway.admin.errors import AdminError
from gateway.admin.rotation import Rotated, Rotation
from gateway.api.client import ApiError, NoGatewayError, path
from gateway.canary import WrongKeyError, check_canary
from gateway.commands.asking import asked
from gateway.commands.errors import CommandError
from gateway.commands.printing import print_json, print_line
from gateway.settings import Settings

_TERMINAL = Principal("terminal", "admin")
"""Whoever can open the store could change it as well."""


async def rotate(settings: Settings, url: str | None, console: Console, *, json: bool) -> bool:
    """Do it and print what came of it; whether every secret could be read. Raises CommandError."""

    async def on_the_store(store: Store) -> Rotated:
        keyring = settings.keyring
        if keyring is not None:
            await check_canary(keyring, store.records)
        return await Rotation(store.records, keyring, Audit(store.audit)).rotate(_TERMINAL)

    try:
        done = await asked(
            settings, url, lambda api: api.post(path("secrets", "rotate"), Rotated), on_the_store
        )
    except (ApiError, NoGatewayError, AdminError, StoreUnavailableError, WrongKeyError) as error:
        raise CommandError(str(error)) from error
    if settings.keyring is not None and done.key != settings.keyring.key_id:
        raise CommandError(
            f"the gateway seals with key {done.key}, and the configuration's first is {settings.keyring.key_id};"
            " restart every gateway with this configuration, and rotate again"
        )
    if json:
        print_json(console, done.model_dump(mode="json"))
        return not done.unreadable
    print_line(
        console, f"sealed anew with key {done.key}: {done.resealed}; sealed with it before: {done.current}"
    )
    for name in done.unreadable:
        print_line(console, f"cannot be read with any key of secrets_key, enter it again: {name}")
    return not done.unreadable
