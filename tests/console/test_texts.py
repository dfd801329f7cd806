"""The languages say the same things, and every text that is asked for is there."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from gateway.console import texts
from gateway.console.preferences import _accepted as accepted
from gateway.console.times import ago, duration
from tests.console.visitor import Visitor

ROOT = Path(texts.__file__).parents[1]
ASKED = re.compile(r"""\b(?:t|say|speak|text)\((?:language, |say, )?f?["']([a-z_.]+)["'][,)]""")


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_names() -> None:
    english, chinese = texts.TABLES["en"], texts.TABLES["zh"]
    assert english.keys() == chinese.keys()
    assert [key for key in english if names(english[key]) != names(chinese[key])] == []
    assert [key for key, text in chinese.items() if text.count("`") % 2 or english[key].count("`") % 2] == []


def test_every_text_that_a_page_asks_for_is_there() -> None:
    asked = {
        (path.name, key)
        for path in [*ROOT.glob("templates/*.html"), *ROOT.glob("*.py")]
        for key in ASKED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 100
    assert {
        (name, key) for name, key in asked if key not in texts.TABLES["en"] and not key.endswith(".")
    } == set()


def test_no_template_switches_escaping_off_or_holds_scripts_or_styles() -> None:
    for path in ROOT.glob("templates/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup|<style|\sstyle=|\son\w+=", text), path.name
        assert not re.search(r"<script(?! type=\"module\" src=\"/console/static/)", text), path.name


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh;q=0.5", "en"),
        ("fr, zh-Hant;q=0.3", "zh"),
        ("fr", "en"),
        ("zh;q=0", "en"),
        ("zh;q=x, ;;,", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(header: str, language: str) -> None:
    assert accepted(header) == language


async def test_language_and_colours_are_kept_as_chosen(stranger: Visitor) -> None:
    page = await stranger.get("/console/sign-in", Accept_Language="zh-CN")
    assert page.says("访问令牌")
    await stranger.post("/console/preferences", {"language": "en", "next": "/console/sign-in"})
    await stranger.post("/console/preferences", {"theme": "dark", "next": "/console/sign-in"})
    page = await stranger.get("/console/sign-in", Accept_Language="zh-CN")
    assert page.says("Access token")
    assert '<html lang="en" data-theme="dark">' in page.text
    await stranger.post(
        "/console/preferences", {"theme": "<x>", "language": "xx", "next": "/console/sign-in"}
    )
    assert 'data-theme="dark"' in (await stranger.get("/console/sign-in")).text


def test_times_are_told_as_people_read_them() -> None:
    assert [ago(1000.0 - passed, 1000.0, "en") for passed in (1, 42, 150, 7300, 200000, -90)] == [
        "just now", "42 s ago", "2 min ago", "2 h ago", "2 d ago", "in 1 min",
    ]  # fmt: skip
    assert ago(0.0, 180.0, "zh") == "3 分钟前"
    assert [duration(one) for one in (0.24, 1.34, 245, 7260, None)] == [
        "240 ms", "1.3 s", "4 min 5 s", "2 h 1 min", "–",
    ]  # fmt: skip
