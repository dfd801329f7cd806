"""PDFs, in a process of their own: what they say, and that the worst of them harms nobody."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from conversation.files.pdf import PdfReader
from tests.conversation.files.papers import bomb, pdf


def children() -> int:
    return len(psutil.Process().children())


async def test_a_pdf_says_what_stands_on_its_pages() -> None:
    text = await PdfReader().text(pdf("Invoice 4711", pages=3, compress=True))
    assert text is not None
    assert text.count("Invoice 4711") == 3


@pytest.mark.parametrize("data", [b"%PDF-1.4\nnothing", pdf("x")[:200], b"%PDF-" + b"\x00" * 5000])
async def test_a_damaged_pdf_is_none(data: bytes) -> None:
    assert await PdfReader().text(data) is None


async def test_a_pdf_that_takes_too_long_is_given_up_and_its_process_is_gone() -> None:
    before = children()
    assert await PdfReader(seconds=0.05).text(pdf("slow")) is None
    assert children() == before


async def test_a_bomb_costs_another_process_a_bounded_time_and_the_loop_goes_on() -> None:
    slowest, before = 0.0, children()

    async def watch() -> None:
        nonlocal slowest
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.01)
            slowest = max(slowest, time.monotonic() - begun)

    watcher = asyncio.create_task(watch())
    data = bomb(300)
    assert len(data) < 2_000_000
    begun = time.monotonic()
    text = await PdfReader(seconds=8.0).text(data)
    watcher.cancel()
    assert text is None or len(text) <= 410_000
    assert time.monotonic() - begun < 12
    assert slowest < 2.0, "the loop of the gateway stood still"
    assert children() == before


async def test_who_stops_waiting_leaves_no_process_behind() -> None:
    before = children()
    reading = asyncio.create_task(PdfReader().text(pdf("stop")))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert children() == before
