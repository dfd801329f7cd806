"""``serve``, ``check`` and their complaints, as a person at a terminal meets them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import aiohttp
import pytest
import yaml

from conversation.texts import notice
from conversation.turn import Reason
from gateway import __version__
from gateway.cli import main
from gateway.demo.model import Reply
from tests.town import town
from tests.waiting import until


async def command(*arguments: str, folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *arguments, cwd=folder, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert __version__ in capsys.readouterr().out


async def test_without_a_configuration_it_says_where_one_is_looked_for(tmp_path: Path) -> None:
    code, output = await command("serve", folder=tmp_path)
    assert code == 1
    assert "turnkeeper.yaml" in output
    assert "TURNKEEPER_CONFIG" in output


async def test_a_mistyped_key_is_named_with_its_place_and_the_nearest_right_one(tmp_path: Path) -> None:
    (tmp_path / "turnkeeper.yaml").write_text("limits:\n  max_replys: 3\n")
    code, output = await command("serve", folder=tmp_path)
    assert code == 1
    assert "turnkeeper.yaml:2:3: limits.max_replys: unknown key; did you mean max_replies?" in output


async def test_a_port_that_is_taken_is_said_without_a_traceback(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        other = tmp_path / "other"
        other.mkdir()
        settings = yaml.safe_load((tmp_path / "turnkeeper.yaml").read_text())
        settings["store"] = {"url": "memory:"}
        (other / "turnkeeper.yaml").write_text(yaml.safe_dump(settings))
        code, output = await command("serve", folder=other)
        assert code == 1
        assert str(settings["server"]["port"]) in output
        assert "Traceback" not in output
        assert here.gateway.running


async def test_check_finds_everything_well_and_asks_the_model_only_when_told_to(tmp_path: Path) -> None:
    async with town(tmp_path, start=False) as here:
        code, output = await command("check", folder=tmp_path)
        assert code == 0, output
        assert here.model.calls_made == []
        code, output = await command("check", "--live", folder=tmp_path)
        assert code == 0, output
        assert len(here.model.calls_made) == 1


async def test_check_names_every_fault_and_fails(tmp_path: Path) -> None:
    async with town(tmp_path, start=False):
        config = tmp_path / "turnkeeper.yaml"
        settings = yaml.safe_load(config.read_text())
        settings["agents"][0]["api_key"] = "sk-not-this-one"
        settings["bots"][0]["credentials"]["bot_token"] = "xoxb-not-this-one"
        settings["bots"][1]["credentials"]["app_secret"] = "not-this-one"
        config.write_text(yaml.safe_dump(settings))
        code, output = await command("check", folder=tmp_path)
        assert code == 1
        assert output.count("✗") == 3, output
        assert "not-this-one" not in output


async def test_logs_hold_neither_texts_nor_secrets_and_one_closing_line_for_each_turn(tmp_path: Path) -> None:
    answer = "the secret of the house is marzipan"
    async with town(tmp_path, script=lambda _: Reply(answer)) as here:
        said = [await here.lark_dm("do you like marzipan?"), await here.mention("marzipan, please")]
        await here.answered(said[:1], lambda: here.lark.chat("oc_1"))
        await here.answered(said[1:], lambda: here.slack.thread("C1", said[1].thread))
        here.model.script = lambda _: Reply("", fault="status:500")
        await here.slack_dm("more marzipan")
        sentence = notice(Reason.MODEL_ERROR, "en", "")[:20]
        await until(lambda: any(sentence in shown.text for shown in here.slack.thread("D1", None)), 10)
        here.gateway.signal(signal.SIGTERM)
        assert await here.gateway.ended() == 0
        log = (tmp_path / "gateway.log").read_text()
        assert "marzipan" not in log
        settings = yaml.safe_load((tmp_path / "turnkeeper.yaml").read_text())
        for bot in settings["bots"]:
            for secret in bot["credentials"].values():
                assert secret not in log
        assert settings["agents"][0]["api_key"] not in log
        lines = [json.loads(line) for line in log.splitlines()]
        closing = [line for line in lines if line["event"] == "turn completed"]
        assert sorted((line["bot"], line["outcome"]) for line in closing) == [
            ("assistant", "answered"),
            ("helpdesk", "answered"),
            ("helpdesk", "failed"),
        ]


async def test_a_disk_that_is_full_is_answered_503_and_nothing_is_lost(tmp_path: Path) -> None:
    """The kernel itself refuses the process's writes for a while."""
    async with town(tmp_path, script=lambda _: Reply("done"), first_token_after=1.0) as here:
        running = await here.lark_dm("before", chat="oc_0")
        await until(lambda: here.model.calls_made, 5)
        with here.full_disk():
            refused = await here.lark_dm("meanwhile", chat="oc_1")
            assert refused.statuses[0] == 503
        await here.lark.settle()
        assert refused.accepted, "the platform sent it again"
        await here.answered([running], lambda: here.lark.chat("oc_0"))
        await here.answered([refused], lambda: here.lark.chat("oc_1"))


async def test_a_log_that_nobody_reads_stops_no_message(tmp_path: Path) -> None:
    """Its reader is there and does not read: the pipe fills up, and the lines are dropped."""
    async with town(tmp_path, start=False) as here:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "serve", cwd=tmp_path, stdout=PIPE, limit=1
        )
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            rejected = 0
            while rejected < 1500:
                try:
                    async with session.post(here.gateway.slack_webhook, data=b"{}") as answer:
                        assert answer.status == 401
                        rejected += 1
                except aiohttp.ClientConnectorError:  # it is still starting
                    await asyncio.sleep(0.05)
        said = await here.lark_dm("hello")
        await here.answered([said], lambda: here.lark.chat("oc_1"))
        process.kill()
        await process.communicate()
