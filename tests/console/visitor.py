"""Somebody at the console with a browser that runs no scripts: what it keeps and sends is written out here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from gateway.settings import load
from gateway.wiring import build

TOKEN = "an-admin-token-of-the-tests"
SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@asynccontextmanager
async def console(folder: Path, **sections: object) -> AsyncIterator[str]:
    """A gateway with an empty store, in this process; the address of its admin's side."""
    written = {
        "store": {"url": "memory:"},
        "admin": {"listen": "127.0.0.1:1", "token": TOKEN},
        "secrets_key": SECRETS_KEY,
        **sections,
    }
    path = folder / "turnkeeper.yaml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    async with build(load(path, {})) as gateway:
        assert gateway.admin is not None
        runner = web.AppRunner(gateway.admin, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Page:
    status: int
    text: str
    headers: Mapping[str, str]
    cookies: SimpleCookie

    def says(self, words: str) -> bool:
        return words in unescape(self.text)


@dataclass
class Visitor:
    """``sends`` are the headers by which a browser says where a request comes from."""

    url: str
    http: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    sends: dict[str, str] = field(default_factory=lambda: {"Sec-Fetch-Site": "same-origin"})

    async def get(self, path: str, **headers: str) -> Page:
        return await self._ask("GET", path, headers=headers)

    async def post(self, path: str, form: Mapping[str, str], **headers: str) -> Page:
        return await self._ask("POST", path, form=form, headers=headers)

    async def sign_in(self, token: str = TOKEN, next: str = "") -> Page:
        return await self.post("/console/sign-in", {"token": token, "next": next})

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
    ) -> Page:
        sent = {**self.sends, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.http.request(
            method, f"{self.url}{path}", data=form, headers=sent, allow_redirects=False
        ) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies.pop(name, None)
                if morsel.value:
                    self.cookies[name] = morsel.value
            return Page(answer.status, await answer.text(), answer.headers, answer.cookies)
