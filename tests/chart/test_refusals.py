"""Values that cannot be used are refused when they are rendered, in a sentence that says what to write instead."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.chart.rendering import AGENT, LEAST, REDIS, Values, refusal, rendered
from tests.chart.tools import HELM, HelmVersion

BOT = {"id": "helpdesk", "channel": "slack", "agent": "default"}

KEY = "made-up-secrets-key"


def with_bot(**keys: object) -> Values:
    return {**LEAST, "agents": [AGENT], "bots": [{**BOT, **keys}]}


def with_store(**keys: object) -> Values:
    return {**LEAST, "store": keys}


KEDA = {"enabled": True, "prometheus": {"serverAddress": "http://prometheus:9090"}}

# What is written, and what the refusal says: the key, and what to write instead.
REFUSED: Mapping[str, tuple[Values, str]] = {
    # the store
    "replicas without Redis": (
        {**LEAST, "replicaCount": 2},
        "several replicas need a Redis 7 or Valkey that they share: write its address into store.url",
    ),
    "replicas on memory": (
        {**LEAST, "replicaCount": 2, "store": {"url": "memory:"}},
        "several replicas need a Redis 7 or Valkey",
    ),
    "autoscaling without Redis": (
        {**LEAST, "autoscaling": {"enabled": True}},
        "several replicas need a Redis 7 or Valkey",
    ),
    "KEDA without Redis": ({**LEAST, "keda": KEDA}, "several replicas need a Redis 7 or Valkey"),
    "no secrets key": ({}, "secretsKey is missing, which encrypts stored credentials: make a Secret once"),
    "two stores": (
        with_store(url="redis://valkey", existingSecret="redis"),
        "store.url and store.existingSecret are both given; keep one",
    ),
    "a store that does not exist": (
        with_store(url="postgres://db"),
        "store.url must be empty (SQLite on the claim), redis://host:6379/0",
    ),
    "a host as address": (with_store(url="valkey:6379"), "store.url must be empty"),
    "no host": (with_store(url="redis:///0"), "store.url must be empty"),
    "a file outside of the volume": (
        with_store(url="sqlite:///./data/turnkeeper.db"),
        "leave it empty, or write sqlite:////var/lib/turnkeeper/data/NAME.db",
    ),
    "a password in the address": (
        with_store(url="redis://gateway:hunter2@valkey:6379/0"),
        "name a Secret with the whole URL in store.existingSecret, or one with the password in",
    ),
    "SQLite without a volume": (
        {**LEAST, "persistence": {"enabled": False}},
        'write persistence.enabled: true, or name a Redis in store.url, or write store.url: "memory:"',
    ),
    "replicated SQLite": (
        with_store(durability="replicated"),
        "store.durability: replicated is for Redis; write fast",
    ),
    "a user of SQLite": (with_store(username="gateway"), "store.username is for Redis; take it out"),
    "a password of SQLite": (
        with_store(password={"value": "x"}),
        "store.password is for Redis; take it out",
    ),
    "an authority of SQLite": (
        with_store(ca={"existingSecret": "ca"}),
        "store.ca is for Redis; take it out",
    ),
    "an authority without TLS": (
        with_store(url="redis+sentinel://s/turns", ca={"existingSecret": "ca"}),
        "store.ca is for TLS; write rediss+sentinel:// in store.url",
    ),
    "a password of no Sentinel": (
        with_store(url="redis://valkey", sentinelPassword={"value": "x"}),
        "store.sentinelPassword is for Sentinel; write redis+sentinel:// in store.url",
    ),
    "two authorities": (
        with_store(url="rediss://valkey", ca={"existingSecret": "a", "existingConfigMap": "b"}),
        "store.ca.existingSecret and store.ca.existingConfigMap are both given",
    ),
    "a namespace with a colon": (
        with_store(url="redis://valkey", namespace="a:b"),
        "store.namespace must be 1 to 64 letters, digits, hyphens or underscores",
    ),
    "a size in words": ({**LEAST, "persistence": {"size": "large"}}, "must be a quantity such as 8Gi"),
    # secrets
    "a secret twice": (
        {"secretsKey": {"value": KEY, "existingSecret": "keys"}},
        "secretsKey.value and secretsKey.existingSecret are both given; keep one",
    ),
    "a short secrets key": (
        {"secretsKey": {"value": f"{KEY},short"}},
        "secretsKey.value has a key of fewer than 16 characters; make one with openssl rand -base64 32",
    ),
    "a reference as value": (
        {"secretsKey": {"value": "env:THE_KEY_OF_SECRETS"}},
        "secretsKey.value must be the secret itself",
    ),
    "a Secret's name": (
        {"secretsKey": {"existingSecret": "My_Keys"}},
        "secretsKey.existingSecret must be the name of a Secret, of lower-case letters, digits, hyphens",
    ),
    "a bot's Secret's name": (
        with_bot(existingSecret="Help desk"),
        "bots[0].existingSecret must be the name of a Secret",
    ),
    "a claim's name": (
        {**LEAST, "persistence": {"existingClaim": "A"}},
        "persistence.existingClaim must be the name of a PersistentVolumeClaim",
    ),
    "a key's name": (
        {**LEAST, "admin": {"token": {"existingSecret": "a", "key": "a b"}}},
        "admin.token.key must be the name of a key in the Secret",
    ),
    "a name for a secret": (
        {**LEAST, "secrets": {"values": {"a b": "c"}}},
        'secrets.values has the name "a b"; use letters, digits',
    ),
    "a Secret in the way": (
        {**LEAST, "secrets": {"values": {"a": "b"}, "files": ["values"]}},
        "secrets.files has a Secret called values",
    ),
    "an open secret of oidc": (
        {**LEAST, "admin": {"oidc": {"client_secret": "hunter2"}}},
        "admin.oidc.client_secret would stand in a ConfigMap for everybody to read; put it into a Secret",
    ),
    "a section of the chart's": (
        {**LEAST, "config": {"secrets_key": "x"}},
        "config.secrets_key is made by the chart; write it as the value secretsKey instead",
    ),
    # agents and bots
    "an open key of a model": (
        {**LEAST, "agents": [{**AGENT, "api_key": "hunter2"}]},
        "put it into a Secret under the key api_key, and write existingSecret: NAME instead",
    ),
    "two keys of a model": (
        {**LEAST, "agents": [{**AGENT, "api_key": "env:KEY", "existingSecret": "openai"}]},
        "agents[0] has api_key and existingSecret; keep one",
    ),
    "an open secret of a bot": (
        with_bot(credentials={"signing_secret": "hunter2", "bot_token": "env:TOKEN"}),
        "bots[0].credentials.signing_secret would stand in a ConfigMap for everybody to read",
    ),
    "credentials twice": (
        with_bot(existingSecret="s", credentials={"bot_token": "env:TOKEN"}),
        "bots[0] has credentials and existingSecret; keep one",
    ),
    "a credential of the other platform": (
        with_bot(existingSecret="s", existingSecretKeys={"app_id": "a"}),
        "bots[0].existingSecretKeys has app_id; write app_token, bot_token, client_id, client_secret,",
    ),
    "keys of no Secret": (
        with_bot(existingSecretKeys={"bot_token": "a"}),
        "bots[0].existingSecretKeys is without existingSecret",
    ),
    "an agent that does not exist": (
        with_bot(agent="mian"),
        'bots[0].agent: there is no agent "mian"; write one of default',
    ),
    "no agent at all": (
        {**LEAST, "bots": [BOT]},
        'bots[0].agent: there is no agent "default"; add it to agents',
    ),
    "a bot's id": (with_bot(id="Help Desk"), "bots[0].id must be lower-case letters, digits and hyphens"),
    "an agent's id": ({**LEAST, "agents": [{**AGENT, "id": "A"}]}, "agents[0].id must be lower-case"),
    "a bot twice": (
        {**LEAST, "agents": [AGENT], "bots": [BOT, BOT]},
        "bots[1].id is helpdesk for a second time",
    ),
    "an agent twice": ({**LEAST, "agents": [AGENT, AGENT]}, "agents[1].id is default for a second time"),
    # what the gateway would refuse at its start
    "an agent's key": (
        {**LEAST, "agents": [{**AGENT, "modle": "x"}]},
        "agents[0].modle does not exist; write one of api_key, base_url, existingSecret",
    ),
    "a provider": (
        {**LEAST, "agents": [{"id": "default", "provider": "opnai", "model": "x"}]},
        "agents[0].provider must be one of openai, echo",
    ),
    "no model": (
        {**LEAST, "agents": [{"id": "default", "provider": "openai"}]},
        "agents[0].model is missing; write the model's name as its server knows it",
    ),
    "a key of timeouts": (
        {**LEAST, "agents": [{**AGENT, "timeouts": {"first": "1s"}}]},
        "agents[0].timeouts.first does not exist; write one of first_token, health, idle, reply",
    ),
    "a timeout in words": (
        {**LEAST, "agents": [{**AGENT, "timeouts": {"idle": "a minute"}}]},
        "agents[0].timeouts.idle must be a duration such as 330s or 5m",
    ),
    "a bot's key": (with_bot(respnd_to="all"), "bots[0].respnd_to does not exist; write one of agent,"),
    "a bot's choice": (
        with_bot(when_busy="wait"),
        "bots[0].when_busy must be one of queue, merge, interrupt",
    ),
    "a key of Lark": (with_bot(region="lark"), "bots[0].region does not exist; write one of"),
    "a credential's name": (
        with_bot(credentials={"token": "env:TOKEN"}),
        "bots[0].credentials.token does not exist; write one of app_token, bot_token",
    ),
    "a limit": ({**LEAST, "limits": {"max_reply": 1}}, "limits.max_reply does not exist; write one of"),
    "a section": ({**LEAST, "config": {"retentoin": {}}}, "config.retentoin does not exist; write one of"),
    "a key of a section": (
        {**LEAST, "config": {"retention": {"api_key": "hunter2"}}},
        "config.retention.api_key does not exist; write one of",
    ),
    "a key of oidc": ({**LEAST, "admin": {"oidc": {"isuer": "x"}}}, "admin.oidc.isuer does not exist"),
    "a canary in words": ({**LEAST, "telemetry": {"canary": "often"}}, "telemetry.canary must be a duration"),
    # what the API server, or the pod's start, would refuse
    "a label's text": (
        {**LEAST, "commonLabels": {"team": "chat and bots"}},
        "commonLabels.team must be at most 63 letters, digits, hyphens, dots and underscores",
    ),
    "a label's name": (
        {**LEAST, "podLabels": {"my team": "a"}},
        'podLabels has the name "my team"; write one',
    ),
    "an annotation's name": (
        {**LEAST, "podAnnotations": {"my note": "a b"}},
        'podAnnotations has the name "my note"; write one of letters',
    ),
    "a node's label": ({**LEAST, "nodeSelector": {"disk": "a b"}}, "nodeSelector.disk must be at most 63"),
    "a quantity": (
        {**LEAST, "resources": {"limits": {"cpu": "lots"}}},
        "resources.limits.cpu must be a quantity such as 500m or 256Mi",
    ),
    "a probe": (
        {**LEAST, "livenessProbe": {"successThreshold": 2}},
        "livenessProbe.successThreshold must be 1; take it out",
    ),
    "root that is not root": (
        {**LEAST, "podSecurityContext": {"runAsUser": 0}},
        "podSecurityContext.runAsUser is 0, which runAsNonRoot forbids; write 10001",
    ),
    "an upgrade that cannot begin": (
        {**REDIS, "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
        "updateStrategy.rollingUpdate lets no pod be replaced; write maxSurge: 1",
    ),
    "a rolling upgrade that is none": (
        {**LEAST, "updateStrategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        "updateStrategy.rollingUpdate is for type: RollingUpdate; take it out",
    ),
    "a variable's name": (
        {**LEAST, "extraEnv": [{"name": "a b", "value": "c"}]},
        "extraEnv[0].name must be the name of a variable, such as MY_TOKEN",
    ),
    "a variable twice": (
        {**LEAST, "extraEnv": [{"name": "A", "value": "c", "valueFrom": {"fieldRef": {}}}]},
        "extraEnv[0] has value and valueFrom; keep one",
    ),
    "a volume of the chart's": (
        {**LEAST, "extraVolumes": [{"name": "data", "emptyDir": {}}]},
        "extraVolumes[0].name is data, which the chart has; give it another name",
    ),
    "a mount of no volume": (
        {**LEAST, "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}]},
        "extraVolumeMounts[0].name is more, and there is no such volume; add it to extraVolumes",
    ),
    "a mount in the way": (
        {**LEAST, "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},  # noqa: S108
        "extraVolumeMounts[0].mountPath is /tmp, where the chart mounts something",
    ),
    "a toleration's effect": (
        {**LEAST, "tolerations": [{"effect": "Never"}]},
        "tolerations[0].effect must be NoSchedule, PreferNoSchedule or NoExecute",
    ),
    "a toleration's operator": (
        {**LEAST, "tolerations": [{"operator": "In"}]},
        "tolerations[0].operator must be Equal or Exists",
    ),
    "a spread in words": (
        {**LEAST, "topologySpreadConstraints": [{"maxSkew": 1, "whenUnsatisfiable": "No"}]},
        "topologySpreadConstraints[0].whenUnsatisfiable must be DoNotSchedule or ScheduleAnyway",
    ),
    "a skew of nothing": (
        {**LEAST, "topologySpreadConstraints": [{"maxSkew": 0, "whenUnsatisfiable": "DoNotSchedule"}]},
        "topologySpreadConstraints[0].maxSkew must be at least 1",
    ),
    "an address for a range": (
        {**LEAST, "networkPolicy": {"webhooksFrom": [{"ipBlock": {"cidr": "10.0.0.1"}}]}},
        "networkPolicy.webhooksFrom[0].ipBlock.cidr must be a range such as 10.0.0.0/8",
    ),
    "a host for an address": (
        {**LEAST, "hostAliases": [{"ip": "redis", "hostnames": ["a"]}]},
        "hostAliases[0].ip must be an address such as 192.0.2.1",
    ),
    "half an object": (
        {**LEAST, "extraObjects": [{"kind": "ConfigMap"}]},
        "extraObjects[0] has no apiVersion; write a whole object",
    ),
    "no room": ({**LEAST, "persistence": {"size": "0"}}, "persistence.size must be a quantity such as 8Gi"),
    "a class of storage": (
        {**LEAST, "persistence": {"storageClass": "Fast Disk"}},
        "persistence.storageClass must be the name of a StorageClass",
    ),
    "a class of ingress": (
        {**LEAST, "ingress": {"className": "My Class"}},
        "ingress.className must be the name of a class (IngressClass)",
    ),
    "an image in capitals": (
        {**LEAST, "image": {"repository": "Registry/Turnkeeper"}},
        "image.repository must be lower-case letters, digits, hyphens, dots and slashes, such as",
    ),
    "an ingress for everything": (
        {**LEAST, "ingress": {"enabled": True, "hosts": ["*"]}},
        'ingress.hosts has "*"; write a name such as bots.example.com',
    ),
    "a certificate for an address": (
        {**LEAST, "ingress": {"tls": [{"hosts": ["https://bots.example.com"]}]}},
        'ingress.tls[0].hosts has "https://bots.example.com"; write a name such as',
    ),
    "a scrape longer than its interval": (
        {**LEAST, "serviceMonitor": {"interval": "10s", "scrapeTimeout": "20s"}},
        "serviceMonitor.scrapeTimeout is 20s, longer than serviceMonitor.interval, 10s; write a shorter one",
    ),
    # network
    "a host as public address": (
        {**LEAST, "server": {"publicUrl": "bots.example.com"}},
        "server.publicUrl must be an address such as https://bots.example.com",
    ),
    "one port for both": (
        {**LEAST, "server": {"port": 8081}},
        "server.port and admin.port are both 8081; give the admins a port of their own",
    ),
    "an ingress without host": (
        {**LEAST, "ingress": {"enabled": True}},
        "ingress.hosts is empty; write the name of the host",
    ),
    "an ingress with an address": (
        {**LEAST, "ingress": {"enabled": True, "hosts": ["https://bots.example.com"]}},
        "write a name such as bots.example.com, without https:// and path",
    ),
    "a route without gateway": (
        {**LEAST, "httpRoute": {"enabled": True}},
        "httpRoute.parentRefs is empty; write which Gateway it belongs to",
    ),
    "a route with an address": (
        {**LEAST, "httpRoute": {"hostnames": ["bots.example.com/x"]}},
        "write a name such as bots.example.com",
    ),
    "a node's port of no node": (
        {**LEAST, "service": {"nodePort": 30080}},
        "service.nodePort is for service.type: NodePort or LoadBalancer; write that, or take it out",
    ),
    "a proxy without scheme": (
        {**LEAST, "proxy": {"https": "proxy:3128"}},
        "proxy.https must be an address such as http://proxy.example.com:3128",
    ),
    "a proxy with a password": (
        {**LEAST, "proxy": {"https": "http://u:hunter2@proxy:3128"}},
        "put the keys HTTP_PROXY, HTTPS_PROXY and NO_PROXY into a Secret",
    ),
    "two proxies": (
        {**LEAST, "proxy": {"https": "http://proxy:3128", "existingSecret": "proxy"}},
        "proxy.https and proxy.existingSecret are both given",
    ),
    "two trusted authorities": (
        {**LEAST, "trustedCa": {"existingSecret": "a", "existingConfigMap": "b"}},
        "trustedCa.existingSecret and trustedCa.existingConfigMap are both given",
    ),
    # pods
    "too short a grace": (
        {**LEAST, "terminationGracePeriodSeconds": 344},
        "preStopSeconds (5), drain (330) and 10 s for the end need 345; write that, or a shorter drain",
    ),
    "too short a grace for minutes": (
        {**LEAST, "drain": "1.5h"},
        "drain (5400) and 10 s for the end need 5415",
    ),
    "too short a grace for a long preStop": ({**LEAST, "preStopSeconds": 30}, "need 370; write that"),
    "a drain in words": ({**LEAST, "drain": "long"}, "drain must be a duration such as 330s or 5m"),
    "two pods with one file": (
        {**LEAST, "updateStrategy": {"type": "RollingUpdate"}},
        "updateStrategy.type is RollingUpdate, and two pods cannot have one SQLite file; write Recreate",
    ),
    "a label that finds pods": (
        {**LEAST, "podLabels": {"app.kubernetes.io/name": "x"}},
        "must not have app.kubernetes.io/name, by which the pods are found",
    ),
    "a tag in the repository": (
        {**LEAST, "image": {"repository": "registry:5000/turnkeeper:1"}},
        "image.repository has a tag in it; write the tag into image.tag",
    ),
    "a digest in the repository": (
        {**LEAST, "image": {"repository": "turnkeeper@sha256:0"}},
        "write the digest, sha256:…, into image.digest",
    ),
    "a short digest": (
        {**LEAST, "image": {"digest": "abc"}},
        "image.digest must be sha256: and 64 hexadecimal digits",
    ),
    "a tag with a colon": ({**LEAST, "image": {"tag": ":1"}}, "image.tag must be a tag such as 0.1.0"),
    "a long name": (
        {**LEAST, "fullnameOverride": "Bots!"},
        "fullnameOverride must be lower-case letters, digits and hyphens",
    ),
    # scaling and monitoring
    "two scalers": (
        {**REDIS, "keda": KEDA, "autoscaling": {"enabled": True}},
        "autoscaling.enabled and keda.enabled are both true",
    ),
    "more at least than at most": (
        {**REDIS, "autoscaling": {"enabled": True, "minReplicas": 9}},
        "autoscaling.minReplicas is 9, more than autoscaling.maxReplicas, 6; write a smaller one",
    ),
    "nothing to scale by": (
        {**REDIS, "autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": None}},
        "autoscaling has no measure to scale by; write targetCPUUtilizationPercentage: 70",
    ),
    "KEDA without Prometheus": (
        {**REDIS, "keda": {"enabled": True}},
        "keda.prometheus.serverAddress must be the address of Prometheus, such as",
    ),
    "a budget that holds all": (
        {**REDIS, "podDisruptionBudget": {"maxUnavailable": 0}},
        "podDisruptionBudget.maxUnavailable must be at least 1, a number of pods or a share such as 25%",
    ),
    "an interval without unit": (
        {**LEAST, "serviceMonitor": {"interval": "30"}},
        "serviceMonitor.interval must be a duration such as 30s",
    ),
}


@pytest.mark.parametrize("story", REFUSED)
def test_it_is_refused_in_a_sentence(story: str) -> None:
    values, sentence = REFUSED[story]
    told = refusal(values)
    assert sentence in told
    assert "hunter2" not in told
    assert told.count("\n- ") == 1, "one mistake, one sentence"


@pytest.mark.parametrize("version", HELM)
def test_all_mistakes_are_told_at_once(version: HelmVersion) -> None:
    told = refusal({"replicaCount": 2, "drain": "long", "image": {"digest": "abc"}}, version)
    assert told.count("\n- ") == 4
    assert told.index("image.digest") < told.index("store.url") < told.index("secretsKey is missing")


@pytest.mark.parametrize("drain", ["500ms", "330s", "5m", "0.05h", "330", 330, 5.5])
def test_a_drain_that_fits_is_taken(drain: object) -> None:
    assert f"drain: {drain}" in rendered({**LEAST, "drain": drain}).configuration.replace("'", "").replace(
        '"', ""
    )


@pytest.mark.parametrize(
    "url",
    [
        "redis://valkey",
        "redis://gateway@valkey:6379/0",
        "rediss://valkey:6380",
        "redis+sentinel://a:26379,b/turns/0",
        "rediss+cluster://a,b:7000",
        "memory:",
        "sqlite:////var/lib/turnkeeper/data/other.db",
    ],
)
def test_every_kind_of_store_is_taken(url: str) -> None:
    assert url in rendered({**LEAST, "store": {"url": url}}).configuration
