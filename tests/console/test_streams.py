"""Pages that follow what happens: what is sent, and when a stream ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.console import streams
from gateway.console.streams import _event as event
from tests.console.visitor import Visitor

ENDED = "event: end"


@asynccontextmanager
async def following(visitor: Visitor, path: str) -> AsyncIterator[AsyncGenerator[str, None]]:
    """The events of a stream, each as its text."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    async with visitor.http.get(f"{visitor.url}{path}", headers={"Cookie": cookies}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield read(answer)


async def read(answer: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
    lines: list[str] = []
    async with asyncio.timeout(20):
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            if line:
                lines.append(line)
            elif lines:
                yield "\n".join(lines)
                lines = []


async def piece(events: AsyncGenerator[str, None], words: str) -> str:
    async for one in events:
        if words in one:
            return one
    raise AssertionError(f"{words} never came")


async def test_a_chat_is_sent_again_when_something_was_said(admin: Visitor) -> None:
    await admin.post("/console/agents/new", {"id": "echo", "provider": "echo"})
    async with following(admin, "/console/playground/now?agent=echo&chat=c") as events:
        await piece(events, "Nothing was said yet")
        said = {"agent": "echo", "chat": "c", "request": "1", "text": "<b>hello</b>"}
        await admin.post("/console/playground", said)
        shown = await piece(events, "hello")
        assert "&lt;b&gt;hello&lt;/b&gt;" in shown


async def test_a_bots_signs_are_followed(admin: Visitor) -> None:
    await admin.post("/console/add", {"channel": "slack", "id": "helpdesk"})
    async with following(admin, "/console/bots/helpdesk/status") as events:
        await piece(events, "Waiting for the platform to verify")


async def test_a_stream_ends_with_its_session(admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE", 0.05)
    async with following(admin, "/console/live/now") as events:
        await piece(events, "It is quiet")
        assert await piece(events, "alive")
        await admin.post("/console/sign-out", {})
        assert await piece(events, ENDED)


async def test_a_stream_ends_when_its_token_is_revoked(
    admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE", 0.05)
    made = await admin.post("/console/tokens", {"name": "v", "role": "viewer", "expires_in": "1d"})
    token = re.search(r"tk_\w[\w-]+", made.text)
    revoke = re.search(r"/console/tokens/\w+/revoke", (await admin.get("/console/tokens")).text)
    assert token is not None
    assert revoke is not None
    viewer = Visitor(admin.url, admin.http)
    await viewer.sign_in(token[0])
    async with following(viewer, "/console/live/now") as events:
        await piece(events, "It is quiet")
        await admin.post(revoke[0], {})
        assert await piece(events, ENDED)


async def test_a_test_is_streamed_step_by_step_to_a_script(admin: Visitor) -> None:
    await admin.post("/console/add", {"channel": "slack", "id": "helpdesk"})
    page = await admin.post("/console/bots/helpdesk/setup/test", {}, Accept="text/event-stream")
    assert page.headers["Content-Type"].startswith("text/event-stream")
    assert "Something does not work yet" in page.text
    assert page.text.rstrip().endswith("data:")


async def test_streams_are_bounded(admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST", 1)
    async with following(admin, "/console/live/now") as events:
        await piece(events, "It is quiet")
        refused = await admin.get("/console/live/now")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


async def test_nobody_follows_without_a_session_or_what_they_may_not_see(stranger: Visitor) -> None:
    for path in ("/console/live/now", "/console/bots/x/status", "/console/playground/now?agent=a&chat=c"):
        assert (await stranger.get(path)).status == 303
    await stranger.sign_in()
    assert (await stranger.get("/console/bots/x/status")).status == 404
    assert (await stranger.get("/console/live/now?bot=x")).status == 404


def test_no_text_can_end_an_event_or_begin_another() -> None:
    hostile = "a\n\nevent: end\r\rdata: b\r\n\r\nid: 7"
    assert event(hostile) == (
        b"data: a\ndata: \ndata: event: end\ndata: \ndata: data: b\ndata: \ndata: id: 7\n\n"
    )
