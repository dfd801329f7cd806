"""The configuration file: what may stand in it, and what it means.

Invariants:

- what ``load`` returns is complete and consistent: bots name agents that exist, secrets are resolved;
- an unknown key is an error, and every error names key, place and remedy, and no value of a secret;
- each part of the program takes the values it needs; only the wiring sees all of this.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from gateway.admin.access import Role
from gateway.bot_settings import SECTIONS, Agent, Bot
from gateway.certificates import OptionalCertificates
from gateway.config_file import Document, Problem, SettingsError, named, read
from gateway.keyring import Keyring
from gateway.secret import MISSING, OptionalSecret, Secret, Sources
from gateway.setting_values import Count, Duration, ListenAddress, Section, WebAddress, Whole, invalid
from gateway.settings_errors import check_names, explained

_REDIS = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")

_SHORTEST_PULSE = 10.0


class Server(Section):
    host: str = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 8080
    public_url: WebAddress | None = None


class Oidc(Section):
    """Signing in to the console at an identity provider. ``roles``: by a value of ``claim``."""

    issuer: WebAddress
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Secret
    claim: Annotated[str, Field(min_length=1)] = "email"
    roles: Annotated[dict[str, Role], Field(min_length=1)]


class Admin(Section):
    """Without ``listen`` it shares the server's port; without ``token`` and ``oidc`` it is off."""

    listen: ListenAddress | None = None
    token: OptionalSecret = None
    oidc: Oidc | None = None

    @property
    def on(self) -> bool:
        """Whether anybody can come in."""
        return self.token is not None or self.oidc is not None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of ``listen``."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Store(Section):
    """``username`` to ``ca_file`` are for Redis, apart from the URL; where both have one it is an error."""

    url: str = "sqlite:///./data/turnkeeper.db"
    username: str | None = None
    password: OptionalSecret = None
    sentinel_password: OptionalSecret = None
    ca_file: OptionalCertificates = None
    durability: Literal["fast", "replicated"] = "fast"
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "turnkeeper"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        scheme, _, rest = url.partition(":")
        if url == "memory:":
            return url
        if scheme in _REDIS:
            if not urlsplit(url).netloc:
                raise invalid("must name a host, such as redis://redis.example.com:6379/0")
            return url
        if scheme != "sqlite":
            raise invalid("must be sqlite:///./data/turnkeeper.db, redis://host:6379 or memory:")
        path = rest.removeprefix("///")
        if path == rest or not path or path.endswith("/"):
            raise invalid("must be sqlite:///relative/path.db or sqlite:////absolute/path.db")
        if path == ":memory:":
            raise invalid("write memory: for a store that forgets everything at the end")
        return url

    @field_validator("username", "password", "sentinel_password", "ca_file")
    @classmethod
    def _fits_the_url(
        cls, value: str | SecretStr | Path | None, info: ValidationInfo
    ) -> str | SecretStr | Path | None:
        if not value or "url" not in info.data:
            return value or None
        scheme, _, rest = info.data["url"].partition(":")
        user, colon, _ = rest.rpartition("@")[0].removeprefix("//").partition(":")
        if scheme not in _REDIS:
            raise invalid(f"is for Redis, which {scheme}: is not; take it out")
        if info.field_name == "ca_file" and not scheme.startswith("rediss"):
            raise invalid(
                f"is for TLS; write {scheme.replace('redis', 'rediss', 1)}:// in store.url, or take it out"
            )
        if info.field_name == "sentinel_password" and not scheme.endswith("+sentinel"):
            driver = scheme.partition("+")[0]
            raise invalid(f"is for Sentinel; write {driver}+sentinel:// in store.url, or take it out")
        if (info.field_name == "username" and user) or (info.field_name == "password" and colon):
            raise invalid(f"is in store.url too; write the {info.field_name} in one of them alone")
        return value

    @field_validator("durability")
    @classmethod
    def _possible(cls, durability: str, info: ValidationInfo) -> str:
        if durability == "replicated" and "url" in info.data:
            kind = info.data["url"].partition(":")[0]
            if kind not in _REDIS:
                raise invalid(f"{kind} has no replicas; write fast")
        return durability

    @property
    def kind(self) -> Literal["memory", "sqlite", "redis"]:
        if self.url == "memory:":
            return "memory"
        return "sqlite" if self.url.startswith("sqlite:") else "redis"

    @property
    def path(self) -> Path:
        """Of ``sqlite:``, the database file, relative to the working directory unless absolute."""
        return Path(self.url.removeprefix("sqlite:///"))

    @property
    def place(self) -> str:
        """Which store it is, without user and password."""
        if self.kind != "redis":
            return self.url
        return f"redis at {self.url.partition('://')[2].rpartition('@')[2]}"


class Limits(Section):
    max_replies: Count = 250
    max_replies_per_user: Count = 3
    max_queued: Count = 20
    max_turns: Count = 100


class Kept(Section):
    """For how many seconds what nobody asked to forget is kept. ``transcripts``: dead letters too."""

    transcripts: Annotated[Duration, Field(gt=0)] = 30 * 86400.0
    events: Annotated[Duration, Field(gt=0)] = 7 * 86400.0
    audit: Annotated[Duration, Field(gt=0)] = 365 * 86400.0


class Telemetry(Section):
    """Traces go by OTLP over HTTP to ``otlp_endpoint``, below ``/v1/traces``, else to where OpenTelemetry's own
    environment variables say; with neither there are none. ``sample``: the share of them that is kept.
    ``canary``: seconds between two messages of ``gateway.pulse``, 0 for none.
    """

    otlp_endpoint: WebAddress | None = None
    otlp_headers: dict[Annotated[str, Field(pattern=r"^[!-9;-~]+$")], Secret] | None = None
    sample: Annotated[float, Field(ge=0, le=1)] | None = None
    canary: Annotated[Duration, Field(le=3600)] = 60.0

    @field_validator("canary")
    @classmethod
    def _bearable(cls, every: float) -> float:
        if 0 < every < _SHORTEST_PULSE:
            raise invalid(f"must be at least {_SHORTEST_PULSE:g}s, or 0 for no canary")
        return every

    @field_validator("otlp_endpoint")
    @classmethod
    def _tells_nothing(cls, endpoint: str | None) -> str | None:
        parts = urlsplit(endpoint or "")
        if parts.username or parts.password:
            raise invalid("holds a password; put it into telemetry.otlp_headers, as authorization")
        if parts.path.rstrip("/").endswith("/v1/traces"):
            raise invalid("is completed with /v1/traces here; leave that out")
        return endpoint


class Settings(Section):
    server: Server = Server()
    admin: Admin = Admin()
    secrets_key: OptionalSecret = None
    store: Store = Store()
    retention: Kept = Kept()
    limits: Limits = Limits()
    telemetry: Telemetry = Telemetry()
    drain: Annotated[Duration, Field(le=86400)] = 330.0
    agents: tuple[Agent, ...] = ()
    bots: tuple[Bot, ...] = ()
    _directory: Path = PrivateAttr(default=Path())
    _left_out: tuple[str, ...] = PrivateAttr(default=())

    @property
    def directory(self) -> Path:
        """Where ``file:`` references are relative to: the file's own folder."""
        return self._directory

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was loaded without its secrets, a sentence for each that is missing."""
        return self._left_out

    @field_validator("secrets_key")
    @classmethod
    def _usable(cls, written: OptionalSecret) -> OptionalSecret:
        if written is not None:
            try:
                Keyring.parse(written.get_secret_value())
            except ValueError as error:
                raise invalid(str(error)) from None
        return written

    @property
    def keyring(self) -> Keyring | None:
        return None if self.secrets_key is None else Keyring.parse(self.secrets_key.get_secret_value())

    def unsupported(self) -> list[str]:
        """Keys that were set and have no effect in this version, one sentence each."""
        idle = []
        if "namespace" in self.store.model_fields_set and self.store.kind != "redis":
            idle.append("store.namespace")
        return [f"{key} has no effect in this version" for key in idle]


# What may stand where, as pydantic names the place of an error.
_SECTIONS: dict[tuple[str, ...], type[Section]] = {
    (): Settings,
    ("server",): Server,
    ("admin",): Admin,
    ("admin", "oidc"): Oidc,
    ("store",): Store,
    ("retention",): Kept,
    ("limits",): Limits,
    ("telemetry",): Telemetry,
    **SECTIONS,
}


def find_config(argument: str | None) -> Path:
    """``--config``, else TURNKEEPER_CONFIG, else ./turnkeeper.yaml. Raises SettingsError if there is none."""
    named_by_environment = os.environ.get("TURNKEEPER_CONFIG")
    path = Path(argument or named_by_environment or "turnkeeper.yaml")
    if path.is_file():
        return path
    if argument:
        advice = "give --config the path of a configuration file"
    elif named_by_environment:
        advice = "TURNKEEPER_CONFIG names it; set it to the path of a configuration file"
    else:
        advice = "write one, or name another with --config FILE or TURNKEEPER_CONFIG"
    raise SettingsError(str(path), [Problem((), (1, 1), f"there is no such file; {advice}")])


def load(path: Path, environ: Mapping[str, str] = os.environ, *, spare_others: bool = False) -> Settings:
    """Read, substitute, validate. Raises SettingsError, which lists every problem of the file.

    ``spare_others``: where a secret is missing, its bot is a draft and its agent has no key, and the others are as
    they should be; ``Settings.left_out`` tells of it.
    """
    document = read(path, environ)
    sources = Sources(environ, path.parent)
    settings, errors = _validated(document, sources)
    left_out = [
        detail for detail in errors if detail["type"] == MISSING and detail["loc"][0] in ("agents", "bots")
    ]
    if spare_others and len(left_out) == len(errors):
        for detail in left_out:
            _take_out(document, detail["loc"])
        settings, errors = _validated(document, sources)
    for detail in errors:
        document.report(*explained(detail, _SECTIONS))
    check_names(document)
    if settings is None or document.problems:
        # Raised here, not while handling pydantic's error: that one holds the values that did not fit.
        raise SettingsError(str(path), document.problems)
    told = [explained(detail, _SECTIONS) for detail in left_out]
    settings._directory = path.parent  # noqa: SLF001 - of this module's own model, which is frozen from here on
    settings._left_out = tuple(f"{named(key_path)}: {text}" for key_path, text in told)  # noqa: SLF001
    return settings


def _validated(document: Document, sources: Sources) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(document.values, context=sources), []
    except ValidationError as error:
        return None, error.errors(include_url=False, include_input=False)


def _take_out(document: Document, location: tuple[int | str, ...]) -> None:
    """What holds the secret: the whole credentials of a bot, as each of them needs the others."""
    inner = document.values
    for step in location[:2]:
        match inner, step:
            case dict(values), str():
                inner = values[step]
            case list(items), int():
                inner = items[step]
    if isinstance(inner, dict):
        inner["credentials" if location[0] == "bots" else "api_key"] = None


class _Schema(GenerateJsonSchema):
    """As editors see the file: where a whole number or a yes or no is asked for, ``${NAME}`` may stand as well."""

    def _or_variable(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        return {"anyOf": [schema, {"type": "string", "pattern": r"\$\{"}]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return self._or_variable(super().int_schema(schema))

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return self._or_variable(super().bool_schema(schema))


def schema() -> str:
    """The JSON Schema of the file. ``python -m gateway.settings`` writes it."""
    described = Settings.model_json_schema(schema_generator=_Schema)
    described["title"] = "turnkeeper.yaml"
    return json.dumps(described, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
