"""Every page, in both colour schemes and on a phone: no serious fault, nothing that the browser complains of."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, Page

from tests.console.browser import AXE, chromium, complaints, faults, missing, signed_in
from tests.console.process import Served, serving

PAGES = (
    "",
    "add",
    "bots",
    "bots/fromfile",
    "bots/helpdesk",
    "bots/helpdesk/remove",
    "bots/helpdesk/setup/platform",
    "bots/helpdesk/setup/secrets",
    "bots/helpdesk/setup/agent",
    "bots/helpdesk/setup/test",
    "bots/helpdesk/setup/enable",
    "bots/assistant/setup/platform",
    "bots/assistant/setup/address",
    "agents",
    "agents/new",
    "agents/echo",
    "live",
    "conversations",
    "conversations?bot=playground~echo",
    "dead-letters",
    "audit",
    "tokens",
    "privacy",
    "playground?agent=echo&chat=axe",
)
SETTINGS = {
    "agents": [{"id": "echo", "provider": "echo"}],
    "bots": [
        {
            "id": "fromfile",
            "channel": "slack",
            "agent": "echo",
            "api_base_url": "http://127.0.0.1:9/",
            "credentials": {"signing_secret": "s", "bot_token": "xoxb-1"},
        }
    ],
}


async def test_every_page_can_be_used_by_everybody(tmp_path: Path) -> None:
    if not AXE.exists():
        missing("needs axe-core: scripts/node-packages")
    async with serving(tmp_path, **SETTINGS) as served, chromium() as browser:
        found: list[str] = []
        for language, scheme, width in (("en-GB", "light", 1280), ("zh-CN", "dark", 420)):
            found += await looked_at(browser, served, language, scheme, width)
        assert found == []


async def looked_at(browser: Browser, served: Served, language: str, scheme: str, width: int) -> list[str]:
    """What is wrong with any page, looked at so."""
    context = await browser.new_context(
        locale=language,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 900},
    )
    door = await context.new_page()
    await door.goto(f"{served.admin}/console/sign-in")
    found = [f"sign-in: {one}" for one in await faults(door)]
    page = await signed_in(context, served.admin)
    if language.startswith("en"):
        await fill_the_house(page, served)
    for path in PAGES:
        await page.goto(f"{served.admin}/console/{path}")
        wrong = await faults(page)
        wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wider > 0:
            wrong.append(f"{wider} pixels too wide")
        found += [f"{path} {scheme} {width}: {one}" for one in wrong]
    found += complaints(page)
    await context.close()
    return found


async def fill_the_house(page: Page, served: Served) -> None:
    """Two bots, a token, and something said in the playground and looked into."""
    for channel, name in (("slack", "helpdesk"), ("lark", "assistant")):
        await page.goto(f"{served.admin}/console/add?channel={channel}")
        await page.get_by_label("Name").fill(name)
        await page.get_by_role("button", name="Continue").click()
        await page.wait_for_url("**/setup/platform")
    await page.goto(f"{served.admin}/console/tokens")
    await page.get_by_label("Name").fill("CI")
    await page.get_by_role("button", name="Make the token").click()
    assert await faults(page) == []
    await page.goto(f"{served.admin}/console/playground?agent=echo&chat=axe")
    await page.get_by_label("Write a message").fill("Hello?")
    await page.keyboard.press("Enter")
    await page.locator("#chat .reply a").click()
    await page.get_by_text("complete answer was shown").wait_for()
    assert await faults(page) == []
    await page.get_by_role("link", name="The conversation").click()
    await page.get_by_role("heading", name="What was said").wait_for()
    assert await faults(page) == []
