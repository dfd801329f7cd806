"""What the fault tests have people say, and where its answers are seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.demo.model import Message, Reply
from gateway.demo.people import Said
from gateway.demo.standin import Shown
from tests.town import Town

Look = Callable[[], list[Shown]]


def script(messages: list[Message]) -> Reply:
    return Reply(f"An answer to {messages[-1].content}: " + "word by word it grows. " * 6)


async def _lark(here: Town) -> tuple[list[Said], Look]:
    said = [await here.lark_dm("one"), await here.lark_dm("two")]
    return said, lambda: here.lark.chat("oc_1")


async def _slack_thread(here: Town) -> tuple[list[Said], Look]:
    first = await here.mention("one")
    said = [first, await here.mention("two", thread=first.ts)]
    return said, lambda: here.slack.thread("C1", first.ts)


async def _slack_dm(here: Town) -> tuple[list[Said], Look]:
    said = [await here.slack_dm("one"), await here.slack_dm("two")]
    return said, lambda: here.slack.thread("D1", None)


PLATFORMS: dict[str, Callable[[Town], Awaitable[tuple[list[Said], Look]]]] = {
    "lark": _lark,
    "slack thread": _slack_thread,
    "slack dm": _slack_dm,
}
"""Two messages of one conversation, said one after the other, and a look at what a person sees of it."""


def replies(look: Look) -> list[Shown]:
    return [shown for shown in look() if shown.author == "bot" and not shown.deleted]
