"""A picture comes in, and comes back: through the real gateway and its echo, on both platforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.lark import LarkStandin
from gateway.demo.lark_files import Resource
from gateway.demo.slack import SlackStandin
from tests.conversation.files.papers import PNG
from tests.gateway.test_who_is_answered import DIRECT, Platform, place
from tests.waiting import until


@pytest.mark.parametrize("platform", ["slack", "lark"])
async def test_a_picture_comes_back_after_the_answer(platform: Platform, tmp_path: Path) -> None:
    async with place(platform, tmp_path) as here:
        url = f"{here.here.url}/webhooks/{platform}/bot"
        standin = here.standin
        if isinstance(standin, SlackStandin):
            file = standin.archive.add("cat.png", PNG, "image/png")
            await standin.say(url, channel=DIRECT, user="U1", text="who?", files=[file])
            wanted = ["who?", "[file: cat.png]"]
        else:
            await standin.send(url, chat=DIRECT, user="U1", file=Resource("image", "", PNG))
            wanted = ["[image: image]", "[image: image_up_0]"]
        await until(lambda: here.shown(DIRECT) == wanted, 10, lambda: here.shown(DIRECT))
        if isinstance(standin, LarkStandin):
            assert standin.archive.uploaded["image_up_0"].data == PNG
        else:
            assert [one.data for one in standin.archive.files.values()] == [PNG, PNG]
