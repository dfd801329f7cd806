"""The dashboards, as Grafana and Prometheus see them. What they ask for is told: ``tests/walk/test_metrics.py``."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.tools import CHART, missing, output

BOARDS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CHART.glob("dashboards/*.json")}
AGGREGATED = re.compile(r"by \(([^)]*)\)")


def targets(board: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Panel, query and legend."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def test_there_are_four_each_of_its_own() -> None:
    assert set(BOARDS) == {"overview", "bots", "model", "store"}
    for of in ("uid", "title"):
        assert len({board[of] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_no_panel_lies_over_another(name: str) -> None:
    panels = BOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x, y in itertools.product(range(panel["gridPos"]["w"]), range(panel["gridPos"]["h"]))
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_panel_asks_the_chosen_prometheus_and_tells_its_unit(name: str) -> None:
    board = BOARDS[name]
    assert board["templating"]["list"][0] == {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
    }
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}" if panel["type"] != "row" else True
        assert panel["type"] == "row" or panel["fieldConfig"]["defaults"]["unit"], panel["title"]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_legends_name_labels_that_the_query_keeps(name: str) -> None:
    for title, query, legend in targets(BOARDS[name]):
        named = set(re.findall(r"\{\{(\w+)\}\}", legend))
        kept = {label.strip() for labels in AGGREGATED.findall(query) for label in labels.split(",")}
        assert named <= kept or not kept, title


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_prometheus_understands_every_query(name: str, tmp_path: Path) -> None:
    if (promtool := shutil.which("promtool")) is None:
        missing("promtool is not there: install Debian's prometheus")
        return
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", ".*", query.replace("$__rate_interval", "5m"))}
        for number, (_, query, _) in enumerate(targets(BOARDS[name]))
    ]
    asked = tmp_path / "queries.yaml"
    asked.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}), encoding="utf-8")
    code, said = output(promtool, "check", "rules", asked)
    assert code == 0, said
