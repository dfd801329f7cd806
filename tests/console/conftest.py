from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.console.visitor import Visitor, console


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody at the console, signed in with the token of the configuration."""
    async with console(tmp_path) as url, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        visitor = Visitor(url, http)
        await visitor.sign_in()
        yield visitor


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with console(tmp_path) as url, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Visitor(url, http)
