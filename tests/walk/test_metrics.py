"""What is asked of Prometheus is there: in a gateway that answered people on both platforms."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.chart.tools import CHART, missing
from tests.town import town

NAME = re.compile(r"\b(?:turnkeeper|gen_ai_client)_\w+")

ELSEWHERE = {"turnkeeper_transport_connected"}
"""Told of bots whose events come otherwise than by webhooks."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """By ``/metrics``, after a conversation on each platform, a webhook that was turned away, and the canary's."""
    return asyncio.run(_story(tmp_path_factory.mktemp("town")))


async def _story(folder: Path) -> str:
    async with town(folder, words=20, settings={"telemetry": {"canary": "10s"}}) as here:
        here.model.counts_unasked = True
        mention, whisper = await here.mention("#slack hi"), await here.lark_dm("#lark hi")
        await here.answered([mention], lambda: here.slack.thread("C1", mention.thread))
        await here.answered([whisper], lambda: here.lark.chat("oc_1"))
        async with aiohttp.ClientSession() as http, asyncio.timeout(30):
            async with http.post(here.gateway.slack_webhook, data=b"{}") as refused:
                assert refused.status == 401
            while not _is_all_counted(text := await _metrics(http, here.gateway.url)):
                await asyncio.sleep(0.1)
        return text


async def _metrics(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(f"{url}/metrics") as answer:
        return await answer.text()


def _is_all_counted(text: str) -> bool:
    """Turns end, and are counted, after the platforms show their answers."""
    channels = re.findall(r'^turnkeeper_reply_seconds_count\{channel="(\w+)"', text, re.MULTILINE)
    return len(channels) == 2 and "\nturnkeeper_canary_last_success_timestamp_seconds " in text


def queries() -> Iterator[tuple[str, str]]:
    """Where, and what is asked."""
    for path in sorted((CHART / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for variable in board["templating"]["list"]:
            yield f"{path.name}: {variable['name']}", variable["query"]
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]
    for path in sorted((CHART / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield rule["alert"], rule["expr"]
    yield "KEDA", (CHART / "templates" / "scaledobject.yaml").read_text(encoding="utf-8")


def test_every_metric_that_is_asked_for_is_told(told: str) -> None:
    families = list(text_string_to_metric_families(told))
    samples = {sample.name for family in families for sample in family.samples}
    samples |= {family.name for family in families if family.name in ELSEWHERE}
    asked = {
        (name, where)
        for where, query in queries()
        for name in NAME.findall(query)
        if not name.startswith("turnkeeper_fullname")
    }
    assert len(asked) > 60
    assert sorted((name, where) for name, where in asked if name not in samples) == []


def test_every_label_that_is_asked_for_is_told(told: str) -> None:
    """Prometheus itself adds namespace, service and pod."""
    known = {
        label
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        for label in sample.labels
    } | {"pod", "namespace", "service"}
    asked = {
        (label.strip(), where)
        for where, query in queries()
        if where != "KEDA"
        for labels in re.findall(r"by \(([^)]*)\)", query)
        for label in labels.split(",")
    } | {
        (label, where)
        for where, query in queries()
        if where != "KEDA"
        for matchers in re.findall(r"\{([^}]*)\}", query)
        for label in re.findall(r"(\w+)\s*(?:=|!)", matchers)
    }
    assert len(asked) > 60
    assert sorted((label, where) for label, where in asked if label not in known) == []


def test_prometheus_finds_nothing_to_complain_about(told: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool is not there: install Debian's prometheus")
        return
    judged = subprocess.run(
        [promtool, "check", "metrics"], input=told, text=True, capture_output=True, check=False
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


def test_no_person_chat_or_text_is_told(told: str) -> None:
    for secret in ("U1", "C1", "oc_1", "hi", "xoxb", "T1"):
        assert not re.search(rf'"{secret}', told), secret
