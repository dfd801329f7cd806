"""Something that one bot needs is missing: the gateway starts, says so, and the other bots work."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from gateway.demo.model import Reply
from tests.faults.talk import replies
from tests.ports import free_port
from tests.town import Town, town
from tests.waiting import until


def rewrite(here: Town, change: Callable[[dict[str, Any]], None]) -> None:
    path = here.folder / "turnkeeper.yaml"
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(written)
    path.write_text(yaml.safe_dump(written), encoding="utf-8")


async def checked(here: Town) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "check", "--config", str(here.folder / "turnkeeper.yaml")),
        stdout=PIPE,
        stderr=STDOUT,
    )
    told, _ = await process.communicate()
    return process.returncode, told.decode()


async def test_a_bot_whose_secret_is_missing_is_named_and_holds_up_no_other(tmp_path: Path) -> None:
    def take_away(written: dict[str, Any]) -> None:
        slack, _ = written["bots"]
        slack["credentials"]["bot_token"] = "env:NO_SUCH_TOKEN"
        slack["credentials"]["signing_secret"] = f"file:{tmp_path}/not-there"

    async with town(tmp_path, script=lambda _: Reply("fine"), start=False) as here:
        rewrite(here, take_away)
        await here.gateway.start()
        said = await here.lark_dm("one")
        await here.answered([said], lambda: here.lark.chat("oc_1"), ["fine"])
        unheard = await here.mention("two")
        assert set(unheard.statuses) == {401}, "it is sent again, and refused until the secret is there"
        log = (here.folder / "gateway.log").read_text(encoding="utf-8")
        for place in ("bot_token: environment variable NO_SUCH_TOKEN is not set", "signing_secret: file"):
            assert f'"cause":"bots[0].credentials.{place}' in log
        code, told = await checked(here)
        assert (code, "NO_SUCH_TOKEN is not set; set it" in told) == (1, True), told


async def test_a_key_of_a_model_that_is_missing_costs_its_bots_alone_an_answer(tmp_path: Path) -> None:
    def give_slack_another_agent(written: dict[str, Any]) -> None:
        other = {**written["agents"][0], "id": "other", "api_key": "env:NO_SUCH_KEY"}
        written["agents"].append(other)
        written["bots"][0]["agent"] = "other"

    async with town(tmp_path, script=lambda _: Reply("fine"), start=False) as here:
        rewrite(here, give_slack_another_agent)
        await here.gateway.start()
        said, unlucky = await here.lark_dm("one"), await here.mention("two")
        await here.answered([said], lambda: here.lark.chat("oc_1"), ["fine"])
        await until(lambda: replies(lambda: here.slack.thread("C1", unlucky.ts)), 10)
        log = (here.folder / "gateway.log").read_text(encoding="utf-8")
        assert "agents[1].api_key: environment variable NO_SUCH_KEY is not set; set it" in log


async def test_a_model_that_cannot_be_reached_costs_its_bots_alone_an_answer(tmp_path: Path) -> None:
    def give_slack_another_agent(written: dict[str, Any]) -> None:
        other = {**written["agents"][0], "id": "other", "base_url": f"http://127.0.0.1:{free_port()}/v1"}
        written["agents"].append(other)
        written["bots"][0]["agent"] = "other"

    async with town(tmp_path, script=lambda _: Reply("fine"), start=False) as here:
        rewrite(here, give_slack_another_agent)
        await here.gateway.start()
        said, unlucky = await here.lark_dm("one"), await here.mention("two")
        await here.answered([said], lambda: here.lark.chat("oc_1"), ["fine"])
        await until(
            lambda: any(
                "Something went wrong" in one.text
                for one in replies(lambda: here.slack.thread("C1", unlucky.ts))
            ),
            20,
        )
