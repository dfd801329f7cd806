"""The gallery is whole: every rendering is there, in its place, and the page needs nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Request

from tests.channels.golden.cases import PLATFORMS, names, text_of
from tests.channels.markdown.reading import open_fence
from tests.console.browser import chromium, complaints, watch
from tests.gallery.page import FRAMES, GROWING, WAYS, Way, frames, moments, page


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Page]:
    target = tmp_path / "gallery.html"
    target.write_text(page(), encoding="utf-8")
    async with chromium() as browser:
        opened = await browser.new_page(viewport={"width": 1600, "height": 1000})
        watch(opened)
        requests: list[str] = []

        def asked(request: Request) -> None:
            requests.append(request.url)

        opened.on("request", asked)
        await opened.goto(target.as_uri())
        yield opened
        assert [url for url in requests if not url.startswith("data:")] == [target.as_uri()]
        assert complaints(opened) == []


OVERFLOWING = """() => {
    const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    const found = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page");
    for (const figure of document.querySelectorAll("figure")) {
        const edge = figure.getBoundingClientRect().right + 0.5;
        for (const one of figure.querySelectorAll("*")) {
            let within = one.parentElement;
            while (within !== figure && !scrolls(within)) within = within.parentElement;
            if (within === figure && one.getBoundingClientRect().right > edge)
                found.push(`${figure.outerHTML.slice(0, 60)}: ${one.tagName} ${one.textContent.slice(0, 30)}`);
        }
        for (const one of figure.querySelectorAll(".text"))
            if (one.scrollWidth > one.clientWidth) found.push(`${figure.outerHTML.slice(0, 60)}: too wide`);
    }
    return found;
}"""


async def test_every_rendering_is_there_and_nothing_overflows(shown: Page) -> None:
    cards = await shown.evaluate(
        """() => [...document.querySelectorAll("figure[data-case]")].map((one) =>
            [one.dataset.case, one.dataset.platform ?? `${one.dataset.way} ${one.dataset.frame}`,
             one.querySelector(".text").innerText.trim().length, one.getBoundingClientRect().height])"""
    )
    wanted = {(name, platform) for name in names() for platform in PLATFORMS}
    wanted |= {
        (name, f"{way.name} {number + 1}") for name in GROWING for way in WAYS for number in range(FRAMES)
    }
    assert {(case, which) for case, which, _, _ in cards} == wanted
    assert len(cards) == len(wanted)
    assert all(length > 0 and height > 60 for _, _, length, height in cards)
    for width in (1600, 900, 420):
        await shown.set_viewport_size({"width": width, "height": 1000})
        assert await shown.evaluate(OVERFLOWING) == []


async def test_what_should_be_drawn_is_drawn(shown: Page) -> None:
    def card(case: str, platform: str) -> str:
        return f'figure[data-case="{case}"][data-platform="{platform}"] .text'

    for platform in ("slack", "lark"):
        assert await shown.locator(f"{card('answer-en', platform)} table td").count() == 6
        assert await shown.locator(f"{card('answer-zh', platform)} strong").count() >= 4
        assert await shown.locator(f"{card('answer-en', platform)} li li").count() == 2
    assert await shown.locator(f"{card('answer-en', 'post')} table").count() == 0
    assert "| bots" in await shown.locator(f"{card('answer-en', 'post')} .code").last.inner_text()
    for stray in ("**", "```", "]("):
        assert stray not in await shown.locator(card("answer-zh", "slack")).inner_text()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("name", GROWING)
def test_what_is_half_finished_is_seen_as_what_it_will_be(name: str, way: Way) -> None:
    text = text_of(name)
    found = frames(text, way)
    assert [end for end, _ in found] == moments(text)
    if way.name == "edits":
        assert all(open_fence(shown) is None for _, shown in found)
    else:
        assert all(way.start().finish(text).startswith(shown.rstrip()) or shown == "…" for _, shown in found)
