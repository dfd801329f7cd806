"""A conversation's page: what is seen there by whom, and what it can be told."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from tests.console.visitor import Visitor

TEXT = "do you like <b>marzipan</b>?"


@pytest.fixture
async def page(admin: Visitor) -> str:
    """The path of a conversation in which a message waits: nothing is answered in these tests."""
    await admin.post("/console/agents/new", {"id": "echo", "provider": "echo"})
    said = {"agent": "echo", "chat": "c", "request": "1", "text": TEXT}
    assert (await admin.post("/console/playground", said)).status == 303
    listed = await admin.get("/console/conversations?bot=playground~echo")
    found = re.search(r'href="(/console/conversations/k1[^"]+)"', listed.text)
    assert found is not None
    return unquote(found[1])


async def signed_in_as(admin: Visitor, role: str) -> Visitor:
    made = await admin.post("/console/tokens", {"name": role, "role": role, "expires_in": "1d"})
    token = re.search(r"tk_\w[\w-]+", made.text)
    assert token is not None
    visitor = Visitor(admin.url, admin.http)
    await visitor.sign_in(token[0])
    return visitor


async def test_texts_are_shown_to_those_who_may_read_them(admin: Visitor, page: str) -> None:
    auditor, viewer = await signed_in_as(admin, "auditor"), await signed_in_as(admin, "viewer")
    for reader in (admin, auditor):
        shown = await reader.get(page)
        assert shown.says(TEXT)
        assert "<b>marzipan" not in shown.text
    for path in (page, "/console/live?bot=playground~echo", f"/console/turns?q={page.rpartition('/')[2]}"):
        hidden = await viewer.get(path)
        assert hidden.status == 200
        assert "marzipan" not in hidden.text
        assert hidden.says("Your role may not see message texts") or "live" in path


async def test_who_may_only_look_gets_no_buttons(admin: Visitor, page: str) -> None:
    auditor = await signed_in_as(admin, "auditor")
    shown = await auditor.get(page)
    assert "Stop the reply" not in shown.text
    assert "Say something here" not in shown.text
    assert (await auditor.post(page, {"type": "cancel", "request": "1"})).status == 403


async def test_a_message_waits_in_line_and_is_sent_once(admin: Visitor, page: str) -> None:
    told = {"type": "message", "text": "and nougat?", "request": "r1"}
    for _ in range(2):
        assert (await admin.post(page, told)).headers["Location"] == f"{page}?done=command"
    assert (await admin.get(page)).text.count("and nougat?") == 1


@pytest.mark.parametrize(
    "told",
    [{"type": "clear"}, {"type": "end"}, {"type": "bind", "agent": "echo"}],
    ids=["clear", "end", "bind"],
)
async def test_orders_wait_in_line(admin: Visitor, page: str, told: dict[str, str]) -> None:
    assert (await admin.post(page, {**told, "request": "r1"})).headers["Location"] == f"{page}?done=command"


async def test_what_waits_can_be_stopped(admin: Visitor, page: str) -> None:
    answer = await admin.post(page, {"type": "cancel", "request": "r1", "back": "live"})
    assert answer.headers["Location"] == "/console/live?done=stopped"
    assert (await admin.get(page)).says("stopped on request")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"type": "message", "text": "  "}, "text"),
        ({"type": "bind", "agent": "nobody"}, "There is no agent 'nobody'"),
        ({"type": "explode"}, "must be one of"),
        ({}, "Type"),
    ],
    ids=["empty", "nobody", "unknown", "nothing"],
)
async def test_a_wrong_order_is_told(admin: Visitor, page: str, told: dict[str, str], says: str) -> None:
    answer = await admin.post(page, {**told, "request": "r1"})
    assert answer.status == 422
    assert says.lower() in answer.text.lower().replace("&#39;", "'")


async def test_an_order_without_its_wish_is_refused(admin: Visitor, page: str) -> None:
    assert (await admin.post(page, {"type": "clear"})).status == 422


async def test_a_turn_is_found_by_its_reference(admin: Visitor, page: str) -> None:
    shown = await admin.get(page)
    found = re.search(r"/console/turns\?q=([0-9a-f]{24})", shown.text)
    assert found is not None
    for what in (found[1], found[1][:8], f"(ref {found[1][:8]})", f"（编号 {found[1][:8]}）"):
        story = await admin.get(f"/console/turns?q={what}")
        assert story.says("Message accepted")
        assert story.says(TEXT)
