"""What Helm makes of values: manifests, or a refusal."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.chart.tools import CHART, HelmVersion, helm

Values: TypeAlias = "Mapping[str, object]"

CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "chat", "bots"
# The least that is accepted.
LEAST: Values = {"secretsKey": {"existingSecret": "keys"}}
REDIS: Values = {**LEAST, "store": {"url": "redis://valkey:6379/0"}}
AGENT = {"id": "default", "provider": "echo"}


class Part:
    """A part of a manifest, for looking into: ``part.spec.replicas``, ``part["a/b"]``, ``part[0]``.

    What is not there is a Part as well, which is false and equals None. ``plain`` is what YAML says.
    """

    def __init__(self, plain: object) -> None:
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, step: str | int) -> Any:
        match self.plain, step:
            case dict(values), str():
                return Part(values.get(step))
            case list(values), int():
                return Part(values[step] if step < len(values) else None)
            case _:
                return Part(None)

    def __iter__(self) -> Iterator[Any]:
        return (Part(item) for item in (self.plain if isinstance(self.plain, list) else []))

    def __bool__(self) -> bool:
        return bool(self.plain)

    def __eq__(self, other: object) -> bool:
        return self.plain == (other.plain if isinstance(other, Part) else other)

    def __hash__(self) -> int:
        return hash(self.plain)

    def __repr__(self) -> str:
        return repr(self.plain)

    def __str__(self) -> str:
        return str(self.plain)

    def named(self, name: str) -> Any:
        """Of a list: the first with this name."""
        return next((part for part in self if part.name == name), Part(None))

    def covers(self, labels: Part) -> bool:
        """Whether a selector with these labels finds something that has mine."""
        assert isinstance(labels.plain, dict)
        assert labels.plain, "an empty selector finds everything"
        return all(self[name] == value for name, value in labels.plain.items())


class Manifests:
    def __init__(self, text: str) -> None:
        self.text = text
        self.all = [Part(document) for document in yaml.safe_load_all(text) if document]

    def kinds(self) -> set[str]:
        return {str(one.kind) for one in self.all}

    def one(self, kind: str, name: str | None = None) -> Any:
        """The only one of its kind, or of its kind and name."""
        found = [one for one in self.all if one.kind == kind and (name is None or one.metadata.name == name)]
        assert len(found) == 1, f"{len(found)} × {kind} {name or ''}"
        return found[0]

    @property
    def pod(self) -> Any:
        return self.one("Deployment").spec.template.spec

    @property
    def gateway(self) -> Any:
        """The container."""
        return self.pod.containers[0]

    @property
    def configuration(self) -> str:
        """turnkeeper.yaml"""
        return str(self.one("ConfigMap", f"{RELEASE}-turnkeeper").data["turnkeeper.yaml"])


def rendered(values: Values | Path, version: HelmVersion = "4", *flags: str) -> Manifests:
    """Raises AssertionError with what Helm says."""
    code, out, err = _template(_text(values), version, flags)
    assert code == 0, err
    return Manifests(out)


def notes(values: Values | Path) -> str:
    """What is shown after an installation. ``helm template`` renders no notes, a dry run does."""
    code, out, err = _run(
        (helm("4"), "install", RELEASE, str(CHART), "-n", NAMESPACE, "--dry-run=client", "--hide-secret"),
        _text(values),
    )
    assert code == 0, err
    return out.partition("\nNOTES:\n")[2]


def refusal(values: Values, version: HelmVersion = "4") -> str:
    """What Helm says to values that it must not accept."""
    code, _, err = _template(_text(values), version, ())
    assert code != 0, "these values are accepted"
    return err


def _text(values: Values | Path) -> str:
    return values.read_text(encoding="utf-8") if isinstance(values, Path) else yaml.safe_dump(dict(values))


@cache
def _template(values: str, version: HelmVersion, flags: tuple[str, ...]) -> tuple[int, str, str]:
    return _run((helm(version), "template", RELEASE, str(CHART), "-n", NAMESPACE, *flags), values)


def _run(command: tuple[str, ...], values: str) -> tuple[int, str, str]:
    done = subprocess.run((*command, "-f", "-"), input=values, capture_output=True, check=False, text=True)
    return done.returncode, done.stdout, done.stderr
