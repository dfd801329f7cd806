"""One page with a likeness of every golden rendering, side by side, and of some while they grow.

It needs no network: it has no script, and its policy lets it load nothing.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from channels.lark import render as lark
from channels.markdown import Rendering
from channels.slack import render as slack
from tests.channels.golden.cases import expected_file, names, text_of, visible
from tests.gallery.drawing import PLATFORMS, Platform, drawn

STYLE = (Path(__file__).parent / "gallery.css").read_text(encoding="utf-8")
GROWING = ("answer-en", "answer-zh", "code", "emphasis-cjk", "links", "lists", "maths", "tables")
FRAMES = 4

_SLACK, _CARD, _POST = PLATFORMS


@dataclass(frozen=True, slots=True)
class Way:
    """How a growing text is shown."""

    name: str
    title: str
    platform: Platform
    start: Callable[[], Rendering]
    look: Callable[[Rendering], str]


WAYS = (
    Way("stream", "Slack, streamed", _SLACK, slack.rendering, lambda growing: growing.settled),
    Way("edits", "Slack, edited", _SLACK, slack.rendering, lambda growing: growing.shown),
    Way("card", "Lark, card", _CARD, lark.rendering, lambda growing: growing.settled),
)


def moments(text: str) -> list[int]:
    """After how many characters a text is looked at: while something is half finished."""
    growing, found = slack.rendering(), []
    for end in range(1, len(text)):
        growing.grow(text[:end])
        if growing.settled.rstrip() != growing.shown.rstrip():
            found.append(end)
    if len(found) < FRAMES:  # there is nothing in it that could be
        found = list(range(1, len(text)))
    return [found[len(found) * (2 * number + 1) // (2 * FRAMES)] for number in range(FRAMES)]


def frames(text: str, way: Way) -> list[tuple[int, str]]:
    """How many characters there were, and what was shown."""
    growing, found = way.start(), []
    for end in moments(text):
        growing.grow(text[:end])
        found.append((end, way.look(growing) or slack.PLACEHOLDER))
    return found


def page() -> str:
    contents = "".join(f'<li><a href="#{name}">{name}</a></li>' for name in names())
    growing = "".join(f'<li><a href="#growing-{name}">{name}</a></li>' for name in GROWING)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>What the bot's text looks like</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>What the bot’s text looks like</h1>
<p>Every text of <code>tests/channels/golden/</code>: as the model wrote it, and a likeness of what each platform
draws of what it is sent. Likenesses follow the platforms’ documentation; the platforms themselves decide. What is
sent stands below each, with spaces of no width made visible.</p>
<nav aria-label="Texts"><ul>{contents}</ul></nav>
<nav aria-label="While they grow"><b>While they grow:</b><ul>{growing}</ul></nav>
</header>
<main>
{"".join(_case(name) for name in names())}
{"".join(_growing(name) for name in GROWING)}
</main>
</body>
</html>
"""


def _case(name: str) -> str:
    source = html.escape(text_of(name))
    pictures = "".join(
        _picture(platform, f'data-case="{name}" data-platform="{platform.name}"', _sent(name, platform))
        for platform in PLATFORMS
    )
    return f"""<section id="{name}">
<h2>{name}</h2>
<div class="row">
<figure class="source"><figcaption>The model</figcaption><pre tabindex="0">{source}</pre></figure>
{pictures}</div>
</section>
"""


def _sent(name: str, platform: Platform) -> str:
    """What is really sent is in the golden file."""
    return expected_file(name, platform.name).read_text(encoding="utf-8").replace("{ZWSP}", "\u200b")


def _growing(name: str) -> str:
    text = text_of(name)
    rows = "".join(_frames_of(name, text, way) for way in WAYS)
    return f'<section id="growing-{name}">\n<h2>{name}, while it grows</h2>\n{rows}</section>\n'


def _frames_of(name: str, text: str, way: Way) -> str:
    pictures = "".join(_frames(name, text, way))
    return f'<h3>{way.title}</h3>\n<div class="row">{pictures}</div>\n'


def _frames(name: str, text: str, way: Way) -> Iterator[str]:
    for number, (end, shown) in enumerate(frames(text, way), start=1):
        marks = f'data-case="{name}" data-way="{way.name}" data-frame="{number}"'
        yield _picture(way.platform, marks, shown, f"… {text[max(0, end - 24) : end]}▏")


def _picture(platform: Platform, marks: str, sent: str, title: str = "") -> str:
    look = "slack" if platform.name == "slack" else "lark"
    return f"""<figure class="{look}" {marks}><figcaption>{html.escape(title) or platform.title}</figcaption>
<div class="message"><div class="face" aria-hidden="true">T</div>
<div class="said"><p class="who">Turnkeeper <span>{"APP" if look == "slack" else "BOT"}</span></p>
<div class="text {platform.name}">{drawn(sent, platform)}</div></div></div>
<details><summary>sent</summary><pre>{html.escape(visible(sent.rstrip(chr(10))))}</pre></details>
</figure>
"""
