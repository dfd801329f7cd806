"""What a kubelet would put into a container: files of ConfigMaps and Secrets, and the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.chart.rendering import Manifests

# What stands in a Secret that is not the chart's, by the name of the key.
Secrets = Callable[[str, str], str]


def made_up(name: str, key: str) -> str:
    return f"made-up {key} of {name}"


def files(manifests: Manifests, secrets: Secrets = made_up) -> dict[str, str]:
    """Every file that the gateway's container has through a mount, by its path."""
    found: dict[str, str] = {}
    for mount in manifests.gateway.volumeMounts:
        volume = manifests.pod.volumes.named(str(mount.name))
        assert volume, f"{mount.name} is mounted, and no volume"
        for path, content in _content(manifests, volume, secrets):
            found[f"{mount.mountPath}/{path}"] = content
    return found


def environment(manifests: Manifests, secrets: Secrets = made_up) -> dict[str, str]:
    """What the container's ``env`` sets; ``extraEnvFrom`` is somebody else's."""
    return {
        str(one.name): secrets(str(one.valueFrom.secretKeyRef.name), str(one.valueFrom.secretKeyRef.key))
        if one.valueFrom.secretKeyRef
        else str(one.value)
        for one in manifests.gateway.env
    }


def _content(manifests: Manifests, volume: Any, secrets: Secrets) -> Iterator[tuple[str, str]]:
    for source in volume.projected.sources or [volume]:
        kind = next((kind for kind in ("secret", "configMap") if source[kind]), None)
        if kind is None:
            continue
        name = str(source[kind].name or source[kind].secretName)
        own = next(
            (
                one.data or one.stringData
                for one in manifests.all
                if one.kind == kind[0].upper() + kind[1:] and one.metadata.name == name
            ),
            None,
        )
        if own is not None:
            items = [(str(item.key), str(item.path)) for item in source[kind]["items"]]
            for key, path in items or [(key, key) for key in own.plain]:
                assert key in own.plain, f"{kind} {name} of the chart has no key {key}"
                yield path, str(own[key])
        else:
            for item in source[kind]["items"]:
                yield str(item.path), secrets(name, str(item.key))
