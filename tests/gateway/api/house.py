"""The API of a real gateway over real HTTP, on the memory store."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from pydantic import JsonValue

from conversation.clock import Clock, SystemClock
from conversation.stores.memory import MemoryStore
from gateway.admin.administration import Administration
from gateway.settings import Settings
from gateway.wiring import build
from tests.gateway.letters import TOKEN, settings_in

ADMIN = TOKEN
Document = dict[str, JsonValue]


@dataclass(frozen=True)
class Said:
    status: int
    headers: Mapping[str, str]
    document: JsonValue

    @property
    def object(self) -> Document:
        assert isinstance(self.document, dict)
        return self.document

    @property
    def items(self) -> list[JsonValue]:
        items = self.object["items"]
        assert isinstance(items, list)
        return items

    @property
    def detail(self) -> str:
        return str(self.object["detail"])

    @property
    def errors(self) -> dict[str, str]:
        """Problem by field."""
        errors = self.object["errors"]
        assert isinstance(errors, list)
        return {str(one["field"]): str(one["problem"]) for one in errors if isinstance(one, dict)}


@dataclass
class House:
    url: str
    store: MemoryStore
    administration: Administration
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = ADMIN,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        """``body`` is sent as JSON, ``raw`` as it is."""
        sent = {"Authorization": f"Bearer {token}"}
        if body is not None:
            raw = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        async with self.http.request(
            method,
            f"{self.url}/api/v1{path}",
            data=None if raw is None else io.BytesIO(raw),
            headers={**sent, **(headers or {})},
        ) as answer:
            content = await answer.read()
            if answer.status >= 400 and method != "HEAD":
                assert answer.content_type == "application/problem+json", content
                assert json.loads(content)["status"] == answer.status
            return Said(answer.status, answer.headers, json.loads(content) if content else None)

    async def token(self, role: str, *bots: str) -> str:
        """One of that role, for these bots or all."""
        name = f"{role} of {' and '.join(bots) or 'all'}"
        if name not in self.tokens:
            new: Document = {"name": name, "role": role, "bots": list(bots) or None}
            self.tokens[name] = str((await self.ask("POST", "/tokens", new)).object["token"])
        return self.tokens[name]


@asynccontextmanager
async def served(
    folder: Path,
    *,
    store: MemoryStore | None = None,
    clock: Clock | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[House]:
    """The HTTP side alone: nothing that is admitted is answered."""
    clock = clock or SystemClock()
    store = store or MemoryStore(clock)
    settings = settings or settings_in(folder)
    async with build(settings, store=store, clock=clock) as gateway, aiohttp.ClientSession() as http:
        runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert gateway.administration is not None
        try:
            yield House(f"http://127.0.0.1:{runner.addresses[0][1]}", store, gateway.administration, http)
        finally:
            await runner.cleanup()
