"""The chart's values: each is in the schema and in the README's table, and of one type."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway import __version__
from tests.chart.rendering import refusal, rendered
from tests.chart.tools import CHART, HELM, MODULES, ROOT, HelmVersion, node, output

DEFAULTS: dict[str, object] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, object] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
README = CHART / "README.md"

Step = tuple[str, ...]


def resolved(schema: object) -> dict[str, object]:
    assert isinstance(schema, dict)
    match schema.get("$ref"):
        case str(reference):
            assert reference.startswith("#/$defs/"), "Helm loads no schema from elsewhere"
            definitions = SCHEMA["$defs"]
            assert isinstance(definitions, dict)
            return resolved(definitions[reference.removeprefix("#/$defs/")])
        case _:
            return schema


def closed(schema: object, path: Step = ()) -> Iterator[tuple[Step, dict[str, object]]]:
    """Every object of the schema that lists its keys, by its path in the values."""
    own = resolved(schema)
    properties = own.get("properties")
    if isinstance(properties, dict) and own.get("additionalProperties") is False:
        yield path, properties
        for name, inner in properties.items():
            yield from closed(inner, (*path, name))


CLOSED = dict(closed(SCHEMA))


def leaves(values: object, path: Step = ()) -> Iterator[tuple[Step, object]]:
    """Every value that the chart itself reads; maps that go verbatim into a manifest are one."""
    if path in CLOSED and isinstance(values, dict):
        for name, value in values.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, values


def put(into: dict[str, object], path: Step, value: object) -> None:
    *parents, last = path
    for step in parents:
        inner = into.setdefault(step, {})
        assert isinstance(inner, dict)
        into = inner
    into[last] = value


def test_the_schema_lists_the_same_keys_as_the_values() -> None:
    for path, properties in CLOSED.items():
        values: object = DEFAULTS
        for step in path:
            assert isinstance(values, dict)
            values = values[step]
        if path and path[-1] in (
            "resources",
            "startupProbe",
            "livenessProbe",
            "readinessProbe",
            "updateStrategy",
            "telemetry",
        ):
            continue  # keys of Kubernetes, or of turnkeeper.yaml: the defaults name some of them
        assert isinstance(values, dict)
        assert set(values) == set(properties), path


@pytest.mark.parametrize("version", HELM)
def test_every_value_of_a_wrong_type_is_named(version: HelmVersion) -> None:
    wrong: dict[str, object] = {}
    paths = [path for path, _ in leaves(DEFAULTS)]
    for path, default in leaves(DEFAULTS):
        put(wrong, path, "text" if isinstance(default, list) else ["of another type"])
    told = refusal(wrong, version)
    silent = {
        path for path in paths if f"'/{'/'.join(path)}': got " not in told.replace("value must be", "got ")
    }
    assert len(paths) > 100
    assert silent == set()


@pytest.mark.parametrize("version", HELM)
def test_every_unknown_key_is_named_at_every_level(version: HelmVersion) -> None:
    wrong: dict[str, object] = {}
    for path in CLOSED:
        put(wrong, (*path, "mistyped"), 1)
    told = refusal(wrong, version)
    places = re.findall(r"at '(.*)': additional properties 'mistyped' not allowed", told)
    assert {place.lstrip("/") for place in places} == {"/".join(path) for path in CLOSED}


def test_a_choice_is_told_where_there_is_one() -> None:
    told = refusal({"service": {"type": "Cluster"}, "bots": [{"id": "a", "channel": "teams", "agent": "b"}]})
    assert "at '/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'" in told
    assert "at '/bots/0/channel': value must be one of 'slack', 'lark'" in told


def test_the_chart_is_of_the_version_that_it_installs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == __version__
    images = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    assert images[0]["image"] == f"{DEFAULTS['image']['repository']}:{__version__}"  # type: ignore[index]
    changes = yaml.safe_load(chart["annotations"]["artifacthub.io/changes"])
    assert {change["kind"] for change in changes} <= {
        "added",
        "changed",
        "deprecated",
        "removed",
        "fixed",
        "security",
    }
    assert not chart.get("dependencies")


def test_the_table_of_the_readme_is_made_from_the_comments_of_the_values(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    shutil.copy(README, copy)
    generator = MODULES / "@bitnami" / "readme-generator-for-helm" / "bin" / "index.js"
    code, told = output(node(), generator, "-v", CHART / "values.yaml", "-r", copy)
    assert code == 0, told
    assert copy.read_text() == README.read_text(), f"run {generator} -v values.yaml -r README.md"


def examples(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


# In the pages of docs/ yaml is a configuration, and yml is values of the chart.
EXAMPLES = [*examples(README, "yaml"), *examples(ROOT / "docs" / "operate.md", "yml")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_values_can_be_installed(example: str) -> None:
    assert rendered(yaml.safe_load(example)).one("Deployment")


def test_the_values_of_the_walk_through_fit_its_secrets_and_its_valkey() -> None:
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    (values,) = examples(ROOT / "docs" / "operate.md", "yml")
    made = {
        name: set(re.findall(r"--from-literal=([\w-]+)=", options))
        for name, options in re.findall(r"create secret generic (\S+)((?:.|\\\n)*?)(?=\nkubectl|\n```)", text)
    }
    chart = rendered(yaml.safe_load(values))
    needed = [source.secret for source in chart.pod.volumes.named("secrets").projected.sources]
    assert needed
    for secret in needed:
        assert {str(item.key) for item in secret["items"]} <= made[str(secret.name)], secret
    valkey = list(yaml.safe_load_all((ROOT / "examples/kubernetes/valkey.yaml").read_text(encoding="utf-8")))
    assert f"redis://{valkey[0]['metadata']['name']}:{valkey[0]['spec']['ports'][0]['port']}/" in values
