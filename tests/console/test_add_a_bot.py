"""An admin who never opens a terminal: from an empty store to two bots that talk, by the console alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from gateway.demo.gateway_process import Credentials
from gateway.demo.judge import judge_conversation
from gateway.demo.lark import LarkStandin
from gateway.demo.model import ModelStandin
from gateway.demo.slack import SlackStandin
from gateway.demo.standin import Shown
from tests.console.browser import chromium, complaints, signed_in
from tests.console.process import Served, serving
from tests.waiting import until


@dataclass
class Town:
    served: Served
    slack: SlackStandin
    lark: LarkStandin
    model: ModelStandin
    credentials: Credentials
    page: Page


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    credentials = Credentials()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackStandin(signing_secret=credentials.signing_secret, bot_token=credentials.bot_token)
        )
        lark = await stack.enter_async_context(
            LarkStandin(
                app_id=credentials.app_id,
                app_secret=credentials.app_secret,
                encrypt_key=credentials.encrypt_key,
                verification_token=credentials.verification_token,
            )
        )
        model = await stack.enter_async_context(
            ModelStandin(
                api_key=credentials.model_key, first_token_after=0.1, tokens_per_second=20.0, words=80
            )
        )
        slack.add_channel("D1", "im")
        served = await stack.enter_async_context(serving(tmp_path))
        browser = await stack.enter_async_context(chromium())
        page = await signed_in(await browser.new_context(locale="en-GB"), served.admin)
        yield Town(served, slack, lark, model, credentials, page)
        await slack.settle()
        await lark.settle()
        assert complaints(page) == []
        assert [*slack.complaints, *lark.complaints, *model.complaints] == []


async def test_from_an_empty_store_to_two_bots_that_talk(town: Town) -> None:
    page = town.page
    await page.get_by_role("main").get_by_role("link", name="Add a bot").click()
    webhook = await slack_is_added(town)
    await talk_is_seen_live(town, "helpdesk", webhook)
    await page.get_by_role("navigation").get_by_role("link", name="Bots").click()
    await page.get_by_role("main").get_by_role("link", name="Add a bot").click()
    webhook = await lark_is_added(town)
    await talk_is_seen_live(town, "assistant", webhook)
    await page.get_by_role("navigation").get_by_role("link", name="Bots").click()
    for name in ("helpdesk", "assistant"):
        row = page.get_by_role("row").filter(has_text=name)
        await expect(row.get_by_text("ready", exact=True)).to_be_visible()
    log = (await page.content()) + str(await page.context.cookies())
    assert not [one for one in secrets_of(town.credentials) if one in log]


async def slack_is_added(town: Town) -> str:
    page, credentials = town.page, town.credentials
    await page.get_by_label("Slack").check()
    await begun(page, "helpdesk", town.slack.api_base_url)
    await expect(page.get_by_role("link", name="Create the app in Slack")).to_have_attribute(
        "href", re.compile(r"^https://api\.slack\.com/apps\?new_app=1&manifest_")
    )
    webhook = str(await page.locator("#webhook-url").text_content())
    await page.get_by_text("Or paste the manifest yourself").click()
    await expect(page.locator("#manifest")).to_contain_text(webhook)
    await waits_for(page, "URL verified", "Waiting for the platform")
    async with aiohttp.ClientSession() as platform:
        asked = {"type": "url_verification", "challenge": "3eZbrw", "token": "x"}
        async with platform.post(webhook, json=asked) as answer:
            assert "3eZbrw" in await answer.text()
    await waits_for(page, "URL verified", "just now")

    await page.get_by_role("link", name="Next: Secrets").click()
    await page.get_by_label("Bot token").fill(credentials.bot_token)
    await page.get_by_role("button", name="Save and continue").click()
    await expect(page.get_by_label("Signing secret")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Signing secret").fill(credentials.signing_secret)
    await page.get_by_label("Bot token").fill(credentials.bot_token)
    await page.get_by_role("button", name="Save and continue").click()

    await expect(page.get_by_text("only repeats what it is told")).to_be_visible()
    await page.get_by_role("link", name="New agent").click()
    await page.get_by_label("Name").fill("helpful")
    await page.get_by_label("Model").fill("demo-model")
    await page.get_by_label("Address").fill(town.model.base_url)
    await page.get_by_label("API key").fill(credentials.model_key)
    await page.get_by_label("Prompt").fill("You are a helpful colleague.")
    await page.get_by_role("button", name="Make the agent").click()
    await expect(page.get_by_label("helpful")).to_be_checked()
    await page.get_by_role("button", name="Choose and continue").click()
    await tried_and_switched_on(page)
    return webhook


async def lark_is_added(town: Town) -> str:
    page, credentials = town.page, town.credentials
    await page.get_by_label("Lark / Feishu").check()
    await page.get_by_label("Platform").select_option("lark")
    await begun(page, "assistant", town.lark.api_base_url)
    await expect(page.get_by_text("im:message.p2p_msg:readonly").first).to_be_visible()
    await page.get_by_role("link", name="Next: Secrets").click()
    await page.get_by_label("App ID").fill(credentials.app_id)
    await page.get_by_label("App Secret").fill(credentials.app_secret)
    await page.get_by_label("Encrypt Key").fill(credentials.encrypt_key)
    await page.get_by_label("Verification Token").fill(credentials.verification_token)
    await page.get_by_role("button", name="Save and continue").click()
    webhook = str(await page.locator("#webhook-url").text_content())
    await waits_for(page, "URL verified", "Waiting for the platform")
    await town.lark.challenge(webhook, encrypted=True)
    await waits_for(page, "URL verified", "just now")
    await page.get_by_role("link", name="Next: Agent").click()
    await page.get_by_label("helpful").check()
    await page.get_by_role("button", name="Choose and continue").click()
    await tried_and_switched_on(page)
    return webhook


async def begun(page: Page, name: str, api: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_text("Advanced").click()
    await page.get_by_label("API address").fill(api)
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/setup/platform")


async def waits_for(page: Page, sign: str, says: str) -> None:
    """Without loading the page again."""
    await expect(page.locator("#status li").filter(has_text=sign)).to_contain_text(says)


async def tried_and_switched_on(page: Page) -> None:
    await page.get_by_role("button", name="Run the test").click()
    await expect(page.get_by_text("The model answers")).to_be_visible()
    await expect(page.locator("#findings .verdict")).to_have_text("Everything that could be tested works.")
    await page.get_by_role("link", name="Next: Switch on").click()
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.get_by_text("The bot is on")).to_be_visible()
    await page.get_by_role("link", name="Watch it live").click()


async def talk_is_seen_live(town: Town, bot: str, webhook: str) -> None:
    """Somebody writes to the bot, and its reply is seen growing."""
    page, question = town.page, f"What does {bot} know of turtles?"
    await expect(page.get_by_text("It is quiet")).to_be_visible()
    if bot == "helpdesk":
        said = await town.slack.say(webhook, channel="D1", user="U1", text=question)
    else:
        said = await town.lark.say(webhook, chat="oc_1", user="ou_1", text=question)
    lane = page.locator(".lane").filter(has_text=bot)
    await expect(lane.get_by_text(question)).to_be_visible()
    growing = lane.locator(".bubble.growing")
    await expect(growing).to_have_text(re.compile(r"\w+ \w+"))
    first = len(str(await growing.text_content()))
    await page.wait_for_function(
        "(length) => document.querySelector('.bubble.growing')?.textContent.length > length", arg=first
    )
    await lane.get_by_role("link", name=bot).click()
    await expect(page.locator("#now .bubble.growing")).to_have_text(re.compile(r"\w+ \w+"))
    answer = town.model.expected_answer(question)

    def shown() -> list[Shown]:
        return town.slack.thread("D1", None) if bot == "helpdesk" else town.lark.chat("oc_1")

    await until(lambda: not judge_conversation(shown(), [said], [answer]), 20.0)
    await expect(page.locator("#now .growing")).to_have_count(0)
    await expect(page.locator("#now").get_by_text(answer[:60])).to_be_visible()


def secrets_of(credentials: Credentials) -> list[str]:
    return [getattr(credentials, name) for name in Credentials.__slots__]
