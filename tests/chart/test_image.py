"""The image: what the Dockerfile promises, and the container that the chart makes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from gateway import __version__
from gateway.settings import load
from tests.chart.container import container, image, instructions
from tests.chart.kubelet import environment, files
from tests.chart.rendering import LEAST, Manifests, Part, rendered
from tests.chart.tools import CHART, ROOT, judge, output

TRIAL = CHART / "ci" / "trial-values.yaml"
BARE = """
agents: [{id: default, provider: echo}]
bots: [{id: helpdesk, channel: slack, agent: default}]
"""


# --- the Dockerfile


def test_hadolint_has_nothing_to_say() -> None:
    code, told = output(judge("hadolint"), ROOT / "Dockerfile")
    assert (code, told) == (0, "")


def test_the_base_is_named_by_a_digest_that_an_argument_can_change() -> None:
    lines = instructions()
    (default,) = (line for line in lines if line.startswith("ARG PYTHON_DIGEST="))
    assert re.fullmatch(r"ARG PYTHON_DIGEST=sha256:[0-9a-f]{64}", default)
    stages = [line for line in lines if line.startswith("FROM ")]
    assert len(stages) > 1
    assert all(re.match(r"FROM python:\$\{PYTHON_TAG\}@\$\{PYTHON_DIGEST\}", line) for line in stages)


def test_what_is_installed_has_the_hashes_of_the_lock_and_is_never_compiled() -> None:
    (install,) = (line for line in instructions() if "requirements.lock" in line and line.startswith("RUN"))
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert not [line for line in instructions() if re.search(r"\b(apt-get|gcc|build-essential)\b", line)]


def test_the_user_is_a_number_that_is_not_root() -> None:
    assert image().user == "10001:10001"
    pod = rendered(LEAST).pod.securityContext
    assert (pod.runAsUser, pod.runAsGroup, pod.fsGroup) == (10001, 10001, 10001)


def test_the_image_says_what_it_is() -> None:
    labels = image().labels
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert set(labels) >= {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")}
    assert f"ARG VERSION={__version__}" in instructions()


def test_only_what_is_copied_reaches_the_builder() -> None:
    """And nothing that is copied is held back."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for line in instructions()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert "*" in rules
    assert copied == let_in


# --- the container


async def test_the_image_runs_as_its_user_on_a_root_that_it_cannot_write(tmp_path: Path) -> None:
    configuration = {"/etc/turnkeeper/turnkeeper.yaml": BARE}
    data = f"{image().folder}/data"
    async with container(configuration, ("/tmp", data), tmp_path) as inside:  # noqa: S108
        await inside.until(*image().health)
        assert (await inside.run("id", "-u"))[1] == "10001\n"
        for place in ("/x", f"{image().folder}/x", "/etc/turnkeeper/x", "/usr/x", f"{ROOT}/x"):
            code, told = await inside.run("touch", place)
            assert (code, "Read-only file system" in told or "Permission denied" in told) == (1, True), place
        assert "NoNewPrivs:\t1" in (await inside.run("cat", "/proc/1/status"))[1]
        assert "CapBnd:\t0000000000000000" in (await inside.run("cat", "/proc/1/status"))[1]
        assert "turnkeeper.db" in (await inside.run("ls", data))[1]
        code, told = await inside.stop()
    assert code == 0, told
    assert '"event":"stopped"' in told


async def test_without_a_configuration_it_ends_and_says_where_it_looked(tmp_path: Path) -> None:
    async with container({}, ("/tmp",), tmp_path, arguments=("serve",)) as inside:  # noqa: S108
        code, told = await inside.end()
    assert (code, "/etc/turnkeeper/turnkeeper.yaml" in told) == (1, True), told


def writable(manifests: Manifests) -> tuple[str, ...]:
    return tuple(str(mount.mountPath) for mount in manifests.gateway.volumeMounts if not mount.readOnly)


def asked(manifests: Manifests, probe: Any) -> tuple[str, ...]:
    """A command that succeeds where a kubelet's request would."""
    ask = (
        "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=3);"
        "c.request('GET', sys.argv[2]); sys.exit(c.getresponse().status >= 400)"
    )
    port = manifests.gateway.ports.named(str(probe.httpGet.port)).containerPort
    return "python", "-c", ask, str(port), str(probe.httpGet.path)


def helm_test(manifests: Manifests, bots: str) -> tuple[str, ...]:
    """The command of the test's pod, with the addresses of this container in place of the Services'."""
    test = manifests.one("Pod").spec.containers[0]
    ports = {str(port.name): str(port.containerPort) for port in manifests.gateway.ports}
    variables = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": ports["http"]}
    variables |= {"ADMIN_HOST": "127.0.0.1", "ADMIN_PORT": ports["admin"], "BOTS": bots}
    assert {str(one.name) for one in test.env} == set(variables)
    return (
        "env",
        *(f"{name}={value}" for name, value in variables.items()),
        *(str(part) for part in test.command),
    )


async def test_the_pod_of_the_chart_starts_is_tested_and_ends_in_peace(tmp_path: Path) -> None:
    """Its files, environment, arguments, probes, ``helm test`` and preStop, as a kubelet would use them."""
    manifests = rendered(TRIAL)
    gateway = manifests.gateway
    arguments = tuple(str(argument) for argument in gateway.args)
    async with container(
        files(manifests),
        writable(manifests),
        tmp_path,
        arguments=arguments,
        environment=environment(manifests),
    ) as inside:
        await inside.until(*asked(manifests, gateway.startupProbe))
        for probe in (gateway.livenessProbe, gateway.readinessProbe):
            assert (await inside.run(*asked(manifests, probe)))[0] == 0
        bots = str(manifests.one("Pod").spec.containers[0].env.named("BOTS")["value"])
        code, told = await inside.run(*helm_test(manifests, bots))
        assert code == 0, told
        assert "GET http://127.0.0.1:8081/metrics: 200" in told
        assert "POST http://127.0.0.1:8080/webhooks/slack/helpdesk: 401" in told
        code, told = await inside.run(*(str(part) for part in gateway.lifecycle.preStop.exec.command))
        assert code == 0, told
        assert (await inside.run(*asked(manifests, gateway.readinessProbe)))[0] == 0
        code, told = await inside.stop()
    assert code == 0, told


async def test_without_anybody_to_administer_it_metrics_are_where_prometheus_asks_for_them(
    tmp_path: Path,
) -> None:
    manifests = rendered(
        {**yaml.safe_load(TRIAL.read_text()), "admin": {}, "serviceMonitor": {"enabled": True}}
    )
    assert "admin-token" not in manifests.configuration
    (endpoint,) = manifests.one("ServiceMonitor").spec.endpoints
    service = manifests.one("Service", "chat-turnkeeper-admin").spec.ports.named(str(endpoint.port))
    probe = Part({"httpGet": {"port": str(service.targetPort), "path": str(endpoint.path)}})
    async with container(
        files(manifests), writable(manifests), tmp_path, environment=environment(manifests)
    ) as inside:
        await inside.until(*image().health)
        assert (await inside.run(*asked(manifests, probe)))[0] == 0
        code, told = await inside.run(*helm_test(manifests, "[]"))
    assert code == 0, told


async def test_helm_test_finds_a_bot_that_the_gateway_does_not_know(tmp_path: Path) -> None:
    manifests = rendered(TRIAL)
    async with container(
        files(manifests), writable(manifests), tmp_path, environment=environment(manifests)
    ) as inside:
        await inside.until(*image().health)
        code, told = await inside.run(*helm_test(manifests, '["slack/nobody"]'))
    assert (code, "/webhooks/slack/nobody" in told.splitlines()[-1]) == (1, True), told


async def test_in_maintenance_commands_have_the_store_for_themselves(tmp_path: Path) -> None:
    manifests = rendered({**yaml.safe_load(TRIAL.read_text()), "store": {}, "maintenance": True})
    command = tuple(str(part) for part in manifests.gateway.command)
    data = str(manifests.gateway.volumeMounts.named("data").mountPath)
    async with container(
        files(manifests), writable(manifests), tmp_path, command=command, environment=environment(manifests)
    ) as inside:
        for probe in (manifests.gateway.startupProbe, manifests.gateway.livenessProbe):
            await inside.until(*asked(manifests, probe))
        post = (
            "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8080);"
            "c.request('POST', '/webhooks/slack/helpdesk', b'{}'); print(c.getresponse().status)"
        )
        assert (await inside.run("python", "-c", post))[1] == "503\n", "the platform sends it again"
        await inside.run("turnkeeper", "check")  # makes the file
        code, told = await inside.run("turnkeeper", "backup", f"{data}/backup.db")
        assert code == 0, told
        code, told = await inside.run("turnkeeper", "restore", f"{data}/backup.db")
        assert code == 0, told
        code, told = await inside.stop()
    assert code == 0, told


# --- compose


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def test_compose_gives_the_gateway_no_more_than_the_chart_does() -> None:
    gateway = COMPOSE["services"]["turnkeeper"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])


def test_compose_starts_the_gateway_when_valkey_answers_and_ends_it_after_its_drain(tmp_path: Path) -> None:
    names = re.findall(r"^(\w+)=", (ROOT / "examples/compose/.env.example").read_text(), re.MULTILINE)
    values = dict.fromkeys(names, "made-up-and-long-enough") | {"PUBLIC_URL": "https://bots.example.com"}
    settings = load(ROOT / "examples" / "compose" / "gateway.yaml", values)
    services = COMPOSE["services"]
    assert services["turnkeeper"]["depends_on"] == {"valkey": {"condition": "service_healthy"}}
    assert services["valkey"]["healthcheck"]["test"]
    assert settings.store.url == "redis://valkey:6379/0"
    assert int(services["turnkeeper"]["stop_grace_period"].removesuffix("s")) >= settings.drain + 10


def test_compose_asks_for_every_secret_that_has_no_default() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == {"VALKEY_PASSWORD", "TURNKEEPER_SECRETS_KEY", "TURNKEEPER_ADMIN_TOKEN"}


def test_the_valkey_of_compose_forgets_and_evicts_nothing() -> None:
    script = COMPOSE["services"]["valkey"]["command"][-1]
    assert "--appendonly yes" in script
    assert "--maxmemory-policy noeviction" in script
    assert "valkey:/data" in COMPOSE["services"]["valkey"]["volumes"]
