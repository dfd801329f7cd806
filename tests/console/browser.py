"""Debian's chromium, with a person before it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.console.visitor import TOKEN

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox",  # a test's own machine, and nothing but our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=15_000)  # a shared machine may be slow


def missing(what: str) -> None:
    """Skip; in CI fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        missing("needs a browser: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


async def signed_in(context: BrowserContext, url: str, token: str = TOKEN) -> Page:
    """A page of somebody who signed in, on which every fault that the browser sees is an error of the test."""
    page = await context.new_page()
    page.set_default_timeout(15_000)
    watch(page)
    await page.goto(f"{url}/console/")
    await page.get_by_label("Access token").or_(page.get_by_label("访问令牌")).fill(token)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{url}/console/")
    return page


def watch(page: Page) -> list[str]:
    """What the browser complains of: scripts that break, what the policy forbids, what cannot be loaded."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def said(message: ConsoleMessage) -> None:
        # A form that was not accepted is a page of its own, whose status says so.
        refused = any(f"status of {status} " in message.text for status in (409, 412, 422))
        if message.type in ("error", "warning") and not refused:
            complaints.append(message.text)

    page.on("console", said)
    _COMPLAINTS[page] = complaints
    return complaints


_COMPLAINTS: dict[Page, list[str]] = {}


def complaints(page: Page) -> list[str]:
    return _COMPLAINTS[page]


async def faults(page: Page) -> list[str]:
    """What axe finds serious or critical on the page as it is now."""
    source = await asyncio.to_thread(AXE.read_text, encoding="utf-8")
    await page.evaluate(source)
    found = await page.evaluate(
        """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
            .filter((one) => ["serious", "critical"].includes(one.impact))
            .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`)"""
    )
    return [str(one) for one in found]
