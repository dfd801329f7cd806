"""Texts as models write them, and beside each what every platform is sent.

``python -m tests.channels.golden.cases`` writes the expected files anew; read the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from channels.lark import render as lark
from channels.slack import render as slack

FOLDER = Path(__file__).parent

PLATFORMS: dict[str, Callable[[str], str]] = {"slack": slack.render, "lark": lark.render, "post": lark.post}
"""``lark`` is a card, ``post`` what a bot with ``stream: false`` sends there."""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.md") if "." not in path.stem)


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def expected_file(name: str, platform: str) -> Path:
    return FOLDER / f"{name}.{platform}.md"


def visible(rendered: str) -> str:
    """As the expected files have it: a zero-width space can be seen, and the last line ends."""
    return rendered.replace("\u200b", "{ZWSP}") + "\n"


if __name__ == "__main__":
    for case in names():
        for name, render in PLATFORMS.items():
            expected_file(case, name).write_text(visible(render(text_of(case))), encoding="utf-8")
