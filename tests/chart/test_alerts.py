"""The alerts fire when they should and not otherwise, as Prometheus' own judge sees it: stories in ``alerts/``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TypedDict

import pytest
import yaml

from tests.chart.tools import CHART, ROOT, missing, output

STORIES = Path(__file__).parent / "alerts"
RULES = sorted((CHART / "rules").glob("*.yaml"))


class Rule(TypedDict):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def rules() -> dict[str, Rule]:
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*words: str | Path) -> None:
    if (command := shutil.which("promtool")) is None:
        missing("promtool is not there: install Debian's prometheus")
        return
    code, said = output(command, *words)
    assert code == 0, said


def test_every_alert_has_its_runbook() -> None:
    manual = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    for alert, rule in rules().items():
        severity = rule["labels"]["severity"]
        assert f"\n### {alert}\n" in manual, alert
        assert f"| [`{alert}`](#{alert.lower()}) | {severity} |" in manual, alert
        assert len(rule["annotations"]["summary"]) < 60, alert


def test_prometheus_understands_the_rules() -> None:
    promtool("check", "rules", *RULES)


@pytest.mark.parametrize("alert", sorted(rules()))
def test_an_alert_fires_when_it_should_and_not_otherwise(alert: str) -> None:
    path = STORIES / f"{alert}.yaml"
    told = [
        one["exp_alerts"]
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for one in test["alert_rule_test"]
        if one["alertname"] == alert
    ]
    assert any(told), "no story in which it fires"
    assert not all(told), "no story in which it is quiet"
    promtool("test", "rules", path)
