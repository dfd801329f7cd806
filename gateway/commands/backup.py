"""``turnkeeper backup`` and ``turnkeeper restore``: the embedded store as one file.

Invariant: neither leaves half a file under the name that was asked for, and a restore throws nothing away.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from conversation.clock import SystemClock
from conversation.stores.port import Store, StoreUnavailableError
from gateway.api.client import ApiClient, ApiError, NoGatewayError, path
from gateway.canary import WrongKeyError, check_canary
from gateway.commands.asking import asked
from gateway.commands.errors import CommandError
from gateway.commands.printing import print_line
from gateway.concrete import copy_of, make_store
from gateway.settings import Settings


async def back_up(settings: Settings, target: str, url: str | None, console: Console) -> None:
    """Write a copy of the store to a new file. Raises CommandError."""
    file = Path(target)
    _only_of_a_file(settings)
    if file.exists():
        raise CommandError(f"{file} is there already; name a new file")
    if not file.parent.is_dir():
        raise CommandError(f"there is no folder {file.parent}; make it first")

    async def over_http(api: ApiClient) -> None:
        await _in_one_piece(file, lambda part: api.download(path("backup"), part))

    async def on_the_store(store: Store) -> None:
        copy = copy_of(store)
        assert copy is not None, "the configuration names a file"
        await _in_one_piece(file, copy)

    try:
        await asked(settings, url, over_http, on_the_store)
    except (ApiError, NoGatewayError, StoreUnavailableError, OSError) as error:
        raise CommandError(str(error)) from error
    print_line(console, f"backed up to {file} ({file.stat().st_size:,} bytes); it holds what people wrote")


async def restore(settings: Settings, source: str, console: Console) -> None:
    """Put a backup in the place of the store, whose files are kept under another name. Raises CommandError."""
    file = Path(source)
    _only_of_a_file(settings)
    store, place = settings.store.path, settings.store.path.parent
    if not file.is_file():
        raise CommandError(f"there is no file {file}")
    try:
        if store.exists():
            await _opens(settings, store)  # and so nobody else has it open
        place.mkdir(parents=True, exist_ok=True)
        part = place / f".{store.name}.restoring"
        part.touch(mode=0o600)
        shutil.copyfile(file, part)
        try:
            await _opens(settings, part)
        except CommandError:
            part.unlink()
            raise
    except OSError as error:
        raise CommandError(str(error)) from error
    aside = _moved_aside(store)
    part.replace(store)
    print_line(console, f"{store} is {file} now" + (f"; what was there is {aside}" if aside else ""))


def _only_of_a_file(settings: Settings) -> None:
    if settings.store.kind != "sqlite":
        raise CommandError(
            f"store.url is {settings.store.kind}, which is no file; back up Redis by its own RDB or AOF files"
        )


async def _in_one_piece(file: Path, write: Callable[[Path], Awaitable[None]]) -> None:
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        await write(part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


async def _opens(settings: Settings, file: Path) -> None:
    """Whether it is a store of this version, with these secrets keys, that nobody has open. Raises CommandError."""
    there = settings.store.model_copy(update={"url": f"sqlite:///{file.absolute()}"})
    store = make_store(settings.model_copy(update={"store": there}), SystemClock())
    try:
        await store.open()
        try:
            if settings.keyring is not None:
                await check_canary(settings.keyring, store.records)
        finally:
            await store.close()
    except (StoreUnavailableError, WrongKeyError) as error:
        raise CommandError(str(error)) from error


def _moved_aside(store: Path) -> Path | None:
    if not store.exists():
        return None
    aside = store.with_name(f"{store.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for suffix in ("", "-wal", "-shm"):
        file = store.with_name(f"{store.name}{suffix}")
        if file.exists():
            file.rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside
