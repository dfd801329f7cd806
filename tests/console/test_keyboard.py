"""The console by keyboard alone, and what its scripts add."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from gateway.demo.gateway_process import Credentials
from gateway.demo.model import ModelStandin
from tests.console.browser import chromium, complaints, signed_in
from tests.console.process import serving
from tests.console.visitor import TOKEN

MOST_TABS = 60


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus, and see that it shows."""
    for _ in range(MOST_TABS):
        await page.keyboard.press("Tab")
        if await focused(page) == name:
            outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


async def focused(page: Page) -> str:
    """The words of what has the focus: its label, else what stands in it."""
    return str(
        await page.evaluate(
            """() => {
                const one = document.activeElement;
                const label = one.labels?.[0]?.querySelector("strong") ?? one.labels?.[0];
                return (label ?? one).innerText.trim().replace(/ optional$/, "");
            }"""
        )
    )


async def test_a_bot_and_an_agent_by_keyboard_alone(tmp_path: Path) -> None:
    credentials = Credentials()
    async with (
        ModelStandin(
            api_key=credentials.model_key, first_token_after=0.1, tokens_per_second=15, words=60
        ) as model,
        serving(tmp_path) as served,
        chromium() as browser,
    ):
        page = await (await browser.new_context(locale="en-GB")).new_page()
        page.set_default_timeout(15_000)
        await page.goto(f"{served.admin}/console/add")
        await tab_to(page, "Access token")
        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{served.admin}/console/add")

        await page.keyboard.press("Tab")
        assert await focused(page) == "Skip to the content"
        await page.keyboard.press("Enter")
        await tab_to(page, "Slack")
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_label("Lark / Feishu")).to_be_checked()
        await expect(page.get_by_label("Platform")).to_be_visible()
        await page.keyboard.press("ArrowUp")
        await expect(page.get_by_label("Platform")).to_be_hidden()
        await tab_to(page, "Name")
        await page.keyboard.type("Help Desk")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-focus]")).to_be_focused()
        await tab_to(page, "Name")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Name")).to_be_focused()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("helpdesk")
        await tab_to(page, "Continue")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/bots/helpdesk/setup/platform")
        await tab_to(page, "Or paste the manifest yourself")
        await page.keyboard.press("Enter")
        await expect(page.locator("#manifest")).to_be_visible()

        await page.goto(f"{served.admin}/console/agents/new")
        for label, typed in (
            ("Name", "helpful"),
            ("Model", "demo-model"),
            ("API key", credentials.model_key),
            ("Prompt", "Be helpful."),
        ):
            await tab_to(page, label)
            await page.keyboard.type(typed)
        await page.get_by_label("Address").fill(model.base_url)
        await tab_to(page, "Make the agent")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/agents/helpful?done=agent_saved")
        await tab_to(page, "Ask the model")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("The model answers")).to_be_visible()

        await page.goto(f"{served.admin}/console/playground?agent=helpful")
        await expect(page.get_by_label("Write a message")).to_be_focused()
        await page.keyboard.type("Tell me about turtles.")
        await page.keyboard.press("Enter")
        growing = page.locator("#chat .growing")
        await expect(growing).not_to_be_empty()
        await expect(page.get_by_label("Write a message")).to_have_value("")
        await tab_to(page, "Stop the reply")
        await page.keyboard.press("Enter")
        await expect(growing).to_have_count(0)
        await expect(page.locator("#chat .bubble.reply")).to_contain_text("Stopped on request")

        await tab_to(page, "Dark")
        await page.keyboard.press("Enter")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await tab_to(page, "中文")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="试聊")).to_be_visible()
        await tab_to(page, "退出登录")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/console/sign-in")


async def test_what_scripts_add(tmp_path: Path) -> None:
    """Copying, a list that is chosen from at once, a stream that a sign-out ends."""
    settings = {"agents": [{"id": "echo", "provider": "echo"}, {"id": "other", "provider": "echo"}]}
    async with serving(tmp_path, **settings) as served, chromium() as browser:
        context = await browser.new_context(
            locale="en-GB", permissions=["clipboard-read", "clipboard-write"], base_url=served.admin
        )
        page = await signed_in(context, served.admin)
        await page.goto("/console/add")
        await page.get_by_label("Name").fill("helpdesk")
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Copy").last.click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{served.url}/webhooks/slack/helpdesk"

        await page.goto("/console/playground?agent=echo")
        await page.get_by_label("Agent").select_option("other")
        await page.wait_for_url("**/playground?agent=other")

        elsewhere = await context.new_page()
        await elsewhere.goto("/console/tokens")
        await elsewhere.get_by_role("button", name="End bootstrap").click()
        await expect(elsewhere.get_by_text("Your session has ended")).to_be_visible()
        await page.goto("/console/bots")
        await page.wait_for_url(f"{served.admin}/console/sign-in?next=/console/bots")
        assert complaints(page) == []
