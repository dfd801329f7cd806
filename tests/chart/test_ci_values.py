"""Every ``ci/*-values.yaml`` of the chart, as outside judges see what Helm 3 and 4 make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import CI_VALUES, Manifests, rendered
from tests.chart.tools import CHART, HELM, ROOT, HelmVersion, helm, judge, node, output

values_files = pytest.mark.parametrize("values", CI_VALUES, ids=[path.stem for path in CI_VALUES])

# Checks of checkov that fail, by the kind they fail for, and why that is right.
JUSTIFIED = {
    ("CKV_K8S_8", "Pod"): "helm test runs once: nobody waits for it to be alive",
    ("CKV_K8S_9", "Pod"): "helm test runs once: nobody sends it anything",
    ("CKV2_K8S_6", "Pod"): "helm test only calls out",
    ("CKV_K8S_15", "Deployment"): "a released tag does not change, and a digest cannot",
    ("CKV_K8S_15", "Pod"): "a released tag does not change, and a digest cannot",
    ("CKV_K8S_43", "Deployment"): "image.digest is known to who built the image; the full values have one",
    ("CKV_K8S_43", "Pod"): "image.digest is known to who built the image; the full values have one",
    ("CKV_K8S_40", "Deployment"): "OpenShift gives the user, and its numbers are high",
    ("CKV_K8S_40", "Pod"): "OpenShift gives the user, and its numbers are high",
    ("CKV_K8S_43", "StatefulSet"): "the example is to be begun with",
    ("CKV_K8S_15", "StatefulSet"): "a released tag does not change",
    ("CKV_K8S_35", "Deployment"): "store.existingSecret: a URL with a password, and store.url takes no file",
}
VALKEY = ROOT / "examples" / "kubernetes" / "valkey.yaml"
MANIFESTS_WITH = {"CKV_K8S_40": {"openshift-values"}, "CKV_K8S_35": {"redis-existing-secret-values"}}


def test_there_are_values_for_every_way_to_run_it() -> None:
    assert {path.stem.removesuffix("-values") for path in CI_VALUES} >= {
        *("default", "trial", "redis", "redis-existing-secret"),
        *("hpa", "keda", "openshift", "full"),
    }


@values_files
@pytest.mark.parametrize("version", HELM)
def test_helm_finds_nothing_to_complain_about(values: Path, version: HelmVersion) -> None:
    code, told = output(helm(version), "lint", "--strict", CHART, "-f", values)
    assert code == 0, told


@values_files
def test_helm_3_and_4_make_the_same_of_them(values: Path) -> None:
    three, four = rendered(values, "3"), rendered(values, "4")
    assert three.all == four.all


@values_files
@pytest.mark.parametrize("kubernetes", ["1.25", "1.30", "1.37"])
def test_kubernetes_knows_every_field(values: Path, kubernetes: str, tmp_path: Path) -> None:
    """Kinds that are not Kubernetes' own are for the models below."""
    code, told = output(judge("kubernetes-validate"), "--strict", "-k", kubernetes, written(values, tmp_path))
    assert code == 0, told
    unknown = {line.split("schema for kind ")[1].split()[0] for line in told.splitlines() if "WARN" in line}
    assert unknown <= {"HTTPRoute", "ScaledObject", "ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize("kubernetes", ["1.25", "1.30", "1.37"])
def test_kubernetes_knows_every_field_of_the_example(kubernetes: str) -> None:
    code, told = output(judge("kubernetes-validate"), "--strict", "-k", kubernetes, VALKEY)
    assert (code, "WARN" in told) == (0, False), told


def test_the_judge_of_kubernetes_fields_sees_a_wrong_one(tmp_path: Path) -> None:
    path = written(CI_VALUES[0], tmp_path)
    path.write_text(path.read_text().replace("automountServiceAccountToken", "automountToken"))
    code, _ = output(judge("kubernetes-validate"), "--strict", "-k", "1.30", path)
    assert code != 0


def custom(manifests: Manifests) -> list[object]:
    own = ("v1", "apps/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1")
    return [one.plain for one in manifests.all if str(one.apiVersion) not in own]


def test_custom_resources_fit_their_models() -> None:
    objects = [one for values in CI_VALUES for one in custom(rendered(values))]
    kinds = {one["kind"] for one in objects if isinstance(one, dict)}
    assert kinds == {"HTTPRoute", "ScaledObject", "ServiceMonitor", "PrometheusRule"}
    code, told = output(node(), ROOT / "tests/chart/validate.mjs", given=json.dumps(objects))
    assert code == 0, told


@pytest.mark.parametrize("kind", ["HTTPRoute", "ScaledObject", "ServiceMonitor", "PrometheusRule"])
def test_the_models_see_a_wrong_field(kind: str) -> None:
    lists = {"HTTPRoute": "rules", "ScaledObject": "triggers", "ServiceMonitor": "endpoints"}
    values = "keda-values.yaml" if kind == "ScaledObject" else "full-values.yaml"
    wrong = rendered(CHART / "ci" / values).one(kind).plain
    assert isinstance(wrong, dict)
    spoilt = {**wrong, "spec": {**wrong["spec"], lists.get(kind, "groups"): "not a list"}}
    code, told = output(node(), ROOT / "tests/chart/validate.mjs", given=json.dumps([spoilt]))
    assert (code, f"{kind} chat-turnkeeper: " in told) == (1, True)


def test_checkov_finds_nothing_that_is_not_justified(tmp_path: Path) -> None:
    checkov = judge("checkov")
    for values in CI_VALUES:
        written(values, tmp_path)
    (tmp_path / VALKEY.name).write_text(in_namespace(VALKEY))
    _, told = output(
        *(checkov, "-d", tmp_path, "--framework", "kubernetes"),
        *("--compact", "--quiet", "--skip-download", "-o", "json"),
    )
    results = json.loads(told)
    failed = {
        (check["check_id"], check["resource"].partition(".")[0], Path(check["file_path"]).stem)
        for check in results["results"]["failed_checks"]
    }
    assert results["summary"]["passed"] > 1000
    assert results["summary"]["parsing_errors"] == 0
    assert {
        (check, kind, values)
        for check, kind, values in failed
        if (check, kind) not in JUSTIFIED or values not in MANIFESTS_WITH.get(check, {values})
    } == set()
    assert {(check, kind) for check, kind, _ in failed} == set(JUSTIFIED), "a justification is not needed"


def written(values: Path, folder: Path) -> Path:
    path = folder / f"{values.stem}.yaml"
    path.write_text(rendered(values).text, encoding="utf-8")
    return path


def in_namespace(path: Path) -> str:
    """As ``kubectl -n bots apply`` has it."""
    documents = [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]
    for one in documents:
        one["metadata"]["namespace"] = "bots"
    return yaml.safe_dump_all(documents)
