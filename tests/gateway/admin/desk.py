"""A gateway on the memory store with its services, as tests of these use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conversation.clock import SystemClock
from conversation.stores.memory import MemoryStore
from gateway.admin.access import Principal
from gateway.admin.administration import Administration
from gateway.documents import JsonObject
from gateway.hosting import Hosting
from gateway.settings import Settings, load
from gateway.wiring import build

ADMIN = Principal("anna", "admin")
KEY = "a-secrets-key-of-the-tests"
SLACK = {"signing_secret": "a-signing-secret", "bot_token": "xoxb-of-the-tests"}
LARK = {"app_id": "cli_1", "app_secret": "an-app-secret", "encrypt_key": "an-encrypt-key"}


@dataclass(frozen=True)
class Desk:
    admin: Administration
    hosting: Hosting
    store: MemoryStore


def settings_in(folder: Path, environ: dict[str, str] | None = None, **sections: Any) -> Settings:
    """``sections`` replace, or with None take away, those of a configuration with an agent and no bot."""
    written = {
        "store": {"url": "memory:"},
        "admin": {"token": "an-admin-token-of-the-tests"},
        "secrets_key": KEY,
        "agents": [{"id": "default", "provider": "echo"}],
        **sections,
    }
    path = folder / "turnkeeper.yaml"
    path.write_text(
        yaml.safe_dump({name: value for name, value in written.items() if value is not None}),
        encoding="utf-8",
    )
    return load(path, environ or {})


@asynccontextmanager
async def desk(folder: Path, store: MemoryStore | None = None, **sections: Any) -> AsyncIterator[Desk]:
    store = store or MemoryStore(SystemClock())
    async with build(settings_in(folder, **sections), store=store) as gateway:
        assert gateway.administration is not None
        yield Desk(gateway.administration, gateway.hosting, store)


def bot(channel: str = "slack", id: str = "helpdesk", **more: Any) -> JsonObject:
    credentials = SLACK if channel == "slack" else LARK
    written: dict[str, Any] = {"id": id, "channel": channel, "agent": "default"}
    written |= {"credentials": dict(credentials), **more}
    return {name: value for name, value in written.items() if value is not None}
