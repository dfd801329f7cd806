"""The rendered configuration is one that the gateway takes, and every secret in it is where it says."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.settings import Settings, load
from tests.chart.kubelet import environment, files, made_up
from tests.chart.rendering import AGENT, CI_VALUES, LEAST, Manifests, rendered
from tests.chart.tools import CHART


def certificate() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATE = certificate()


def secrets(name: str, key: str) -> str:
    """Those that the values under ``ci/`` name."""
    if key.endswith((".crt", ".pem")):
        return CERTIFICATE
    return (
        "redis://:made-up@redis:6379/0" if (name, key) == ("turnkeeper-redis", "url") else made_up(name, key)
    )


# A Secret that is mounted as a whole has keys that no manifest names.
WHOLE = {
    "/secrets/oidc/client-secret": "made-up client secret",
    "/secrets/assistant-lark/app_secret": "made-up app_secret of assistant-lark",
    "/secrets/assistant-lark/encrypt_key": "made-up encrypt_key of assistant-lark",
}


def loaded(manifests: Manifests, folder: Path) -> Settings:
    """As the container would see it, with its root at a folder of this machine."""
    mounted = files(manifests, secrets)
    for one in manifests.pod.volumes:
        whole = f"/secrets/{one.secret.secretName}/"
        mounted |= {path: content for path, content in WHOLE.items() if path.startswith(whole)}
    for path, content in mounted.items():
        here = folder / path.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text(re.sub(r"(file:|ca_file: )/", rf"\1{folder}/", content), encoding="utf-8")
    variables = environment(manifests, secrets)
    return load(folder / variables["TURNKEEPER_CONFIG"].lstrip("/"), variables)


@pytest.mark.parametrize("values", CI_VALUES, ids=[path.stem for path in CI_VALUES])
def test_the_gateway_takes_it(values: Path, tmp_path: Path) -> None:
    manifests = rendered(values)
    settings = loaded(manifests, tmp_path)
    written = yaml.safe_load(values.read_text())
    assert [bot.id for bot in settings.bots] == [bot["id"] for bot in written["bots"]]
    assert [agent.id for agent in settings.agents] == [agent["id"] for agent in written["agents"]]
    ports = {str(port.name): port.containerPort.plain for port in manifests.gateway.ports}
    assert settings.admin.address is not None
    assert ports == {"http": settings.server.port, "admin": settings.admin.address[1]}
    assert settings.secrets_key is not None


def test_each_secret_arrives_where_it_is_read(tmp_path: Path) -> None:
    settings = loaded(rendered(CHART / "ci" / "redis-values.yaml"), tmp_path)
    slack, lark = (bot.credentials for bot in settings.bots)
    assert slack is not None
    assert lark is not None
    given = {
        "secrets_key": settings.secrets_key,
        "token": settings.admin.token,
        "password": settings.store.password,
        "sentinel": settings.store.sentinel_password,
        "agent": settings.agents[0].api_key,
        **{name: getattr(slack, name) for name in type(slack).model_fields},
        **{name: getattr(lark, name) for name in type(lark).model_fields},
    }
    assert {name: secret.get_secret_value() for name, secret in given.items() if secret} == {
        "secrets_key": "made-up secrets-key of turnkeeper-keys",
        "token": "made-up admin-token of turnkeeper-keys",
        "password": "made-up gateway-password of redis",
        "sentinel": "made-up sentinel-password of redis",
        "agent": "made-up api_key of openai",
        "signing_secret": "made-up signing_secret of helpdesk-slack",
        "bot_token": "made-up bot_token of helpdesk-slack",
        "app_id": "made-up id of assistant-lark",
        "app_secret": "made-up secret of assistant-lark",
        "verification_token": "made-up token of assistant-lark",
    }
    assert settings.store.ca_file is not None
    assert settings.store.durability == "replicated"


def test_a_whole_address_comes_out_of_its_secret(tmp_path: Path) -> None:
    settings = loaded(rendered(CHART / "ci" / "redis-existing-secret-values.yaml"), tmp_path)
    assert settings.store.url == "redis://:made-up@redis:6379/0"


def test_numbers_and_texts_arrive_as_they_were_written(tmp_path: Path) -> None:
    settings = loaded(rendered(CHART / "ci" / "full-values.yaml"), tmp_path)
    assert settings.agents[0].max_context_tokens == 1_000_000
    assert settings.agents[0].timeouts.first_token == 30
    assert settings.agents[0].system_prompt == (
        "You are a helpful colleague at Example Ltd.\nAn hour of consulting costs $120.\n"
    )
    assert settings.limits.max_replies == 100
    assert settings.drain == 120
    assert settings.server.public_url == "https://bots.example.com"
    assert settings.retention.transcripts == 90 * 86400
    assert settings.telemetry.otlp_endpoint == "http://otel-collector.monitoring:4318"
    assert (settings.telemetry.sample, settings.telemetry.canary) == (0.25, 300)


def test_a_host_of_the_ingress_is_the_public_address_unless_another_is_said() -> None:
    ingress = {"enabled": True, "hosts": ["bots.example.com"]}
    assert "public_url: https://bots.example.com" in rendered({**LEAST, "ingress": ingress}).configuration
    other = {**LEAST, "ingress": ingress, "server": {"publicUrl": "https://other.example.com/x/"}}
    assert "public_url: https://other.example.com/x\n" in rendered(other).configuration


def test_other_sections_of_the_configuration_pass_through() -> None:
    values = {
        **LEAST,
        "config": {"retention": {"transcripts": "30d"}},
        "admin": {"oidc": {"issuer": "https://id.example.com"}},
    }
    written = yaml.safe_load(rendered({**values, "agents": [AGENT]}).configuration)
    assert written["retention"] == {"transcripts": "30d"}
    assert written["admin"]["oidc"] == {"issuer": "https://id.example.com"}
