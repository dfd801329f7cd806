"""What the chart promises of its manifests, whatever is switched on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.setting_values import Duration
from gateway.settings import Settings
from tests.chart.rendering import AGENT, CI_VALUES, LEAST, REDIS, Manifests, Values, notes, rendered
from tests.chart.tools import CHART

values_files = pytest.mark.parametrize("values", CI_VALUES, ids=[path.stem for path in CI_VALUES])
FULL = CHART / "ci" / "full-values.yaml"
HPA = CHART / "ci" / "hpa-values.yaml"
KEDA = CHART / "ci" / "keda-values.yaml"
KEY = "made-up-secrets-key"
BOTS = [
    {"id": "helpdesk", "channel": "slack", "agent": "default", "existingSecret": "helpdesk"},
    {"id": "assistant", "channel": "lark", "agent": "default", "existingSecret": "assistant"},
    {"id": "next", "channel": "slack", "agent": "default"},
]
WITH_BOTS: Values = {**LEAST, "agents": [AGENT], "bots": BOTS}


def pods(manifests: Manifests) -> Iterator[Any]:
    """The gateway's, and the one of helm test."""
    yield manifests.pod
    yield manifests.one("Pod").spec


# --- one replica or several


def test_as_it_comes_there_is_one_replica_on_a_claim_and_no_second_beside_it() -> None:
    chart = rendered(LEAST)
    deployment = chart.one("Deployment").spec
    assert deployment.replicas == 1
    assert deployment.strategy == {"type": "Recreate"}
    claim = chart.one("PersistentVolumeClaim")
    volume = chart.pod.volumes.named("data")
    assert volume.persistentVolumeClaim.claimName == claim.metadata.name
    mount = chart.gateway.volumeMounts.named("data")
    assert f"sqlite:///{mount.mountPath}/turnkeeper.db" in chart.configuration
    assert "PodDisruptionBudget" not in chart.kinds()
    assert not chart.pod.topologySpreadConstraints


def test_the_only_pod_takes_webhooks_while_it_drains() -> None:
    """Nobody else would, and it queues them."""
    assert rendered(LEAST).one("Service", "chat-turnkeeper").spec.publishNotReadyAddresses == True  # noqa: E712
    assert not rendered(REDIS).one("Service", "chat-turnkeeper").spec.publishNotReadyAddresses


def test_conversations_stay_after_an_uninstall_unless_asked_otherwise() -> None:
    def policy(values: Values) -> Any:
        return rendered(values).one("PersistentVolumeClaim").metadata.annotations["helm.sh/resource-policy"]

    assert policy(LEAST) == "keep"
    assert not policy({**LEAST, "persistence": {"keep": False}})


def test_a_claim_of_ones_own_is_used_and_none_is_made() -> None:
    chart = rendered({**LEAST, "persistence": {"existingClaim": "mine"}})
    assert "PersistentVolumeClaim" not in chart.kinds()
    assert chart.pod.volumes.named("data").persistentVolumeClaim.claimName == "mine"


def test_several_replicas_on_redis_are_replaced_one_by_one_and_none_is_missing() -> None:
    chart = rendered({**REDIS, "replicaCount": 3})
    deployment = chart.one("Deployment").spec
    assert deployment.replicas == 3
    assert deployment.strategy == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert "PersistentVolumeClaim" not in chart.kinds()
    assert not chart.pod.volumes.named("data")


def test_several_replicas_are_spread_and_a_node_can_be_emptied() -> None:
    chart = rendered({**REDIS, "replicaCount": 2})
    spread = [(one.topologyKey, one.whenUnsatisfiable) for one in chart.pod.topologySpreadConstraints]
    assert spread == [
        ("kubernetes.io/hostname", "ScheduleAnyway"),
        ("topology.kubernetes.io/zone", "ScheduleAnyway"),
    ]
    assert chart.one("PodDisruptionBudget").spec.maxUnavailable == 1


def test_one_replica_on_redis_has_no_budget_that_would_hold_its_node() -> None:
    assert "PodDisruptionBudget" not in rendered(REDIS).kinds()


@pytest.mark.parametrize("values", [HPA, KEDA], ids=["hpa", "keda"])
def test_who_scales_decides_alone_on_the_number_of_replicas(values: Path) -> None:
    chart = rendered(values)
    assert not chart.one("Deployment").spec.replicas
    assert chart.one("PodDisruptionBudget")


def test_the_autoscaler_looks_at_cpu_and_replies() -> None:
    scaler = rendered(HPA).one("HorizontalPodAutoscaler").spec
    assert (scaler.minReplicas, scaler.maxReplicas) == (3, 12)
    assert scaler.metrics[0].resource == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 70},
    }
    assert scaler.metrics[1].pods.metric.name == "turnkeeper_replies_in_flight"
    assert scaler.scaleTargetRef.name == "chat-turnkeeper"


def test_keda_looks_at_the_age_of_the_queue_and_at_replies() -> None:
    queries = [one.metadata.query for one in rendered(KEDA).one("ScaledObject").spec.triggers]
    of = '{namespace="bots",service="chat-turnkeeper-admin"}'
    assert queries == [
        f"max(turnkeeper_queue_oldest_age_seconds{of})",
        f"sum(turnkeeper_replies_in_flight{of})",
    ]


# --- how a pod ends


@values_files
def test_replies_have_time_to_finish(values: Path) -> None:
    chart = rendered(values)
    (drain,) = (
        line.removeprefix("drain: ")
        for line in chart.configuration.splitlines()
        if line.startswith("drain: ")
    )
    pre_stop = chart.gateway.lifecycle.preStop.exec.command
    seconds = TypeAdapter[float](Duration).validate_python(drain) + float(str(pre_stop[1]))
    assert int(str(chart.pod.terminationGracePeriodSeconds)) >= seconds + 10


def test_the_drain_is_the_one_of_the_program() -> None:
    assert "drain: 330s" in rendered(LEAST).configuration
    assert Settings().drain == 330


def test_before_a_pod_ends_it_waits_with_a_command_that_every_kubernetes_knows() -> None:
    assert rendered(LEAST).gateway.lifecycle.preStop == {"exec": {"command": ["sleep", "5"]}}
    none = rendered({**LEAST, "preStopSeconds": 0})
    assert none.gateway.lifecycle.preStop.exec.command == ["sleep", "0"]


def test_the_probes_ask_what_the_gateway_serves() -> None:
    gateway = rendered(LEAST).gateway
    assert gateway.startupProbe.httpGet == {"path": "/readyz", "port": "http"}
    assert gateway.livenessProbe.httpGet == {"path": "/livez", "port": "http"}
    assert gateway.readinessProbe.httpGet == {"path": "/readyz", "port": "http"}


def test_a_probe_can_be_replaced_and_left_out() -> None:
    gateway = rendered(
        {**LEAST, "startupProbe": None, "livenessProbe": {"tcpSocket": {"port": "http"}}}
    ).gateway
    assert not gateway.startupProbe
    assert not gateway.livenessProbe.httpGet
    assert gateway.livenessProbe.tcpSocket == {"port": "http"}


def test_in_maintenance_the_pod_runs_and_the_gateway_does_not() -> None:
    """And server-side apply changes one into the other: it cannot take away what has defaults of the server's."""
    gateway, usual = rendered({**LEAST, "maintenance": True}).gateway, rendered(LEAST).gateway
    assert gateway.command[0] == "python"
    assert not gateway.args
    for name in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
        assert gateway[name] == usual[name]
    assert "webhooks are refused" in notes({**LEAST, "maintenance": True})


# --- rights


@values_files
def test_every_pod_is_restricted(values: Path) -> None:
    for pod in pods(rendered(values)):
        assert pod.securityContext.runAsNonRoot == True  # noqa: E712
        assert pod.securityContext.seccompProfile.type == "RuntimeDefault"
        for container in pod.containers:
            assert container.securityContext == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container.resources.limits.memory


@values_files
def test_no_pod_can_talk_to_kubernetes(values: Path) -> None:
    chart = rendered(values)
    for pod in pods(chart):
        assert pod.automountServiceAccountToken == False  # noqa: E712
        assert pod.enableServiceLinks == False  # noqa: E712
    assert chart.one("ServiceAccount").automountServiceAccountToken == False  # noqa: E712
    assert not chart.kinds() & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_openshift_may_choose_users_and_groups() -> None:
    for pod in pods(rendered(CHART / "ci" / "openshift-values.yaml")):
        assert pod.securityContext == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    for pod in pods(rendered({**LEAST, "podSecurityContext": None, "securityContext": None})):
        assert not pod.securityContext
        assert not pod.containers[0].securityContext


def test_what_is_mounted_for_the_gateway_alone_is_writable_where_it_must() -> None:
    writable = [one.mountPath for one in rendered(LEAST).gateway.volumeMounts if not one.readOnly]
    assert writable == ["/tmp", "/var/lib/turnkeeper/data"]  # noqa: S108 - the container's


# --- secrets


@values_files
def test_no_secret_stands_outside_of_a_secret(values: Path) -> None:
    """The values files write ``made-up`` for every secret that is a value."""
    chart = rendered(values)
    for one in chart.all:
        if one.kind != "Secret":
            assert "made-up" not in repr(one)


@values_files
def test_nothing_is_generated(values: Path) -> None:
    """Helm keeps no state where a GitOps controller renders: what changed by itself would change with every sync."""
    assert rendered(values, "4", "--is-upgrade").all == rendered(values, "4").all


def test_there_is_a_secret_of_the_chart_only_for_secrets_that_are_values() -> None:
    assert "Secret" not in rendered(WITH_BOTS).kinds()
    own = rendered({"secretsKey": {"value": KEY}}).one("Secret")
    assert own.stringData == {"secrets-key": KEY}


def test_a_change_of_configuration_or_secret_starts_new_pods() -> None:
    def checksums(values: Values) -> tuple[str, str]:
        annotations = rendered(values).one("Deployment").spec.template.metadata.annotations
        return str(annotations["checksum/config"]), str(annotations["checksum/secret"])

    before = checksums({"secretsKey": {"value": KEY}})
    assert checksums({"secretsKey": {"value": KEY}}) == before
    other_config = checksums({"secretsKey": {"value": KEY}, "agents": [AGENT]})
    other_secret = checksums({"secretsKey": {"value": KEY[::-1]}})
    assert (other_config[0] != before[0], other_config[1] == before[1]) == (True, True)
    assert (other_secret[0] == before[0], other_secret[1] != before[1]) == (True, True)


# --- network


def test_admins_and_metrics_have_a_service_that_the_internet_never_reaches() -> None:
    chart = rendered({**LEAST, "service": {"type": "LoadBalancer"}})
    webhooks, admins = chart.one("Service", "chat-turnkeeper"), chart.one("Service", "chat-turnkeeper-admin")
    assert (webhooks.spec.type, admins.spec.type) == ("LoadBalancer", "ClusterIP")
    assert [port.targetPort for port in webhooks.spec.ports] == ["http"]
    assert [port.targetPort for port in admins.spec.ports] == ["admin"]
    assert "listen: 0.0.0.0:8081" in chart.configuration


def test_from_outside_only_webhooks_are_reached() -> None:
    chart = rendered(FULL)
    (rule,) = chart.one("Ingress").spec.rules
    (path,) = rule.http.paths
    assert (path.path, path.pathType) == ("/webhooks/", "Prefix")
    assert path.backend.service == {"name": "chat-turnkeeper", "port": {"name": "http"}}
    (route,) = chart.one("HTTPRoute").spec.rules
    assert route.matches == [{"path": {"type": "PathPrefix", "value": "/webhooks/"}}]
    assert route.backendRefs == [{"name": "chat-turnkeeper", "port": 80}]


def test_ipv6_addresses_are_listened_on_as_such() -> None:
    chart = rendered({**LEAST, "server": {"host": "::"}})
    assert "listen: '[::]:8081'" in chart.configuration


def test_the_network_policy_lets_through_what_is_needed() -> None:
    policy = rendered({**WITH_BOTS, "networkPolicy": {"enabled": True}}).one("NetworkPolicy").spec
    assert policy.podSelector.matchLabels["app.kubernetes.io/component"] == "gateway"
    webhooks, admins = policy.ingress
    assert (webhooks.ports[0].port, webhooks["from"]) == ("http", None)
    assert (admins.ports[0].port, admins["from"]) == ("admin", [{"podSelector": {}}])
    ports = [[port.port for port in rule.ports] for rule in policy.egress]
    assert ports == [[53, 53], [443, 6379]]


def test_the_network_policy_knows_the_ports_that_the_configuration_names() -> None:
    values = {
        **LEAST,
        "networkPolicy": {"enabled": True, "egressPorts": [443]},
        "store": {"url": "redis+sentinel://a:26379,b:26380/turns/0"},
        "proxy": {"https": "http://proxy:3128"},
        "telemetry": {"otlp_endpoint": "http://otel-collector:4318"},
        "agents": [
            {**AGENT, "base_url": "http://vllm.models:8000/v1"},
            {**AGENT, "id": "plain", "base_url": "http://plain.models/v1"},
        ],
    }
    rule = rendered(values).one("NetworkPolicy").spec.egress[1]
    assert sorted(port.port.plain for port in rule.ports) == [80, 443, 3128, 4318, 8000, 26379, 26380]


def test_nobody_reaches_the_admins_port_where_nobody_is_named() -> None:
    values = {**LEAST, "networkPolicy": {"enabled": True, "adminFrom": []}}
    (rule,) = rendered(values).one("NetworkPolicy").spec.ingress
    assert [port.port for port in rule.ports] == ["http"]


def test_helm_test_reaches_the_webhooks_under_a_narrow_policy() -> None:
    chart = rendered(FULL)
    sources = chart.one("NetworkPolicy").spec.ingress[0]["from"]
    labels = chart.one("Pod").metadata.labels
    wanted = sources[1].podSelector.matchLabels
    assert wanted["app.kubernetes.io/component"] == "test"
    assert labels.covers(wanted)


def test_a_proxy_and_a_private_authority_are_told_in_the_environment() -> None:
    gateway = rendered(FULL).gateway
    assert gateway.env.named("HTTPS_PROXY").value == "http://proxy.example.com:3128"
    assert gateway.env.named("NO_PROXY").value == "localhost,127.0.0.1,.svc,.cluster.local"
    assert not gateway.env.named("HTTP_PROXY")
    ca = gateway.volumeMounts.named("trusted-ca").mountPath
    assert gateway.env.named("SSL_CERT_FILE").value == f"{ca}/ca.crt"


def test_a_proxy_with_a_password_comes_from_a_secret() -> None:
    gateway = rendered({**LEAST, "proxy": {"existingSecret": "proxy"}}).gateway
    assert gateway.envFrom == [{"secretRef": {"name": "proxy"}}]
    assert not gateway.env.named("NO_PROXY")


# --- monitoring


def test_prometheus_asks_the_admins_service() -> None:
    chart = rendered(FULL)
    monitor = chart.one("ServiceMonitor").spec
    labels = chart.one("Service", "chat-turnkeeper-admin").metadata.labels
    assert labels.covers(monitor.selector.matchLabels)
    webhooks = chart.one("Service", "chat-turnkeeper").metadata.labels
    assert not webhooks.covers(monitor.selector.matchLabels)
    (endpoint,) = monitor.endpoints
    assert (endpoint.port, endpoint.path) == ("admin", "/metrics")
    assert monitor.namespaceSelector.matchNames == ["bots"]


def alerts(values: Values) -> set[str]:
    groups = rendered(values).one("PrometheusRule").spec.groups
    return {str(rule.alert) for group in groups for rule in group.rules}


def test_every_alert_of_the_chart_is_there_and_can_be_left_out() -> None:
    everything = alerts({**LEAST, "prometheusRule": {"enabled": True}})
    written = "".join(path.read_text() for path in (CHART / "rules").glob("*.yaml"))
    assert len(everything) == written.count("- alert:")
    one = next(iter(everything))
    assert alerts({**LEAST, "prometheusRule": {"enabled": True, "disabled": [one]}}) == everything - {one}


def test_alerts_link_to_their_runbooks_where_these_are_kept() -> None:
    kept: Values = {"enabled": True, "runbookUrl": "https://wiki.example.com/operate.md"}
    for group in rendered({**LEAST, "prometheusRule": kept}).one("PrometheusRule").spec.groups:
        for rule in group.rules:
            anchor = str(rule.alert).lower()
            assert rule.annotations.runbook_url == f"https://wiki.example.com/operate.md#{anchor}"
    assert "runbook_url" not in rendered({**LEAST, "prometheusRule": {"enabled": True}}).text


def test_templates_in_alerts_are_for_prometheus_alone() -> None:
    assert "{{ $labels." in rendered({**LEAST, "prometheusRule": {"enabled": True}}).text


def test_every_dashboard_is_a_configmap_that_grafana_finds() -> None:
    chart = rendered({**LEAST, "dashboards": {"enabled": True}})
    for path in (CHART / "dashboards").glob("*.json"):
        found = chart.one("ConfigMap", f"chat-turnkeeper-dashboard-{path.stem}")
        assert found.metadata.labels["grafana_dashboard"] == "1"
        assert found.data[f"turnkeeper-{path.stem}.json"] == path.read_text()


# --- what is one's own


def test_environment_volumes_and_objects_are_taken_verbatim() -> None:
    chart = rendered(FULL)
    assert chart.gateway.env.named("NODE_NAME").valueFrom == {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert chart.gateway.envFrom == [{"configMapRef": {"name": "more"}}]
    assert chart.pod.volumes.named("more").emptyDir == {}
    assert chart.gateway.volumeMounts.named("more").mountPath == "/more"
    assert chart.one("ConfigMap", "chat-turnkeeper-more").data == {"release": "chat"}
    assert chart.one("ConfigMap", "chat-as-text")


def test_an_image_is_named_by_tag_or_digest() -> None:
    assert rendered(LEAST).gateway.image == "turnkeeper/turnkeeper:0.1.0"
    assert rendered({**LEAST, "image": {"tag": "9.9.9"}}).gateway.image == "turnkeeper/turnkeeper:9.9.9"
    digest = "sha256:" + "a" * 64
    both = {"repository": "registry.example.com:5000/tk", "tag": "9.9.9", "digest": digest}
    assert rendered({**LEAST, "image": both}).gateway.image == f"registry.example.com:5000/tk@{digest}"


@values_files
def test_every_object_is_of_the_release_and_its_namespace(values: Path) -> None:
    for one in rendered(values).all:
        assert one.metadata.namespace == "bots"
        if "more" not in str(one.metadata.name) and "text" not in str(one.metadata.name):
            assert one.metadata.labels["app.kubernetes.io/instance"] == "chat"
            assert one.metadata.labels["app.kubernetes.io/managed-by"] == "Helm"


def test_labels_for_everything_are_on_everything_but_not_in_selectors() -> None:
    chart = rendered(FULL)
    assert chart.one("Service", "chat-turnkeeper").metadata.labels["team"] == "chat"
    assert chart.one("Deployment").spec.template.metadata.labels["team"] == "chat"
    assert not chart.one("Deployment").spec.selector.matchLabels["team"]


# --- what is said after the installation


def test_the_notes_print_the_webhook_of_each_bot() -> None:
    told = notes({**WITH_BOTS, "ingress": {"enabled": True, "hosts": ["bots.example.com"]}})
    assert "helpdesk (slack): https://bots.example.com/webhooks/slack/helpdesk\n" in told
    assert "assistant (lark): https://bots.example.com/webhooks/lark/assistant\n" in told
    assert "webhooks/slack/next  (a draft: it has no credentials yet)" in told
    assert "kubectl -n bots exec deployment/chat-turnkeeper -- turnkeeper check" in told


def test_the_notes_say_what_is_missing() -> None:
    assert "There is no bot yet. Write agents and bots into the values" in notes(LEAST)
    assert "Nothing says yet where the platforms reach the gateway" in notes(WITH_BOTS)
    assert "a restart forgets every message" in notes({**LEAST, "store": {"url": "memory:"}})
    assert "chat-turnkeeper-data, which stays after helm uninstall" in notes(LEAST)


@values_files
def test_the_notes_hold_no_secret(values: Path) -> None:
    assert "made-up" not in notes(values)
