"""Bots and agents that are kept in the store: JSON documents as an admin wrote them, secrets sealed.

Invariants:

- a document is stored only if it is valid; what it references (``env:``, ``file:``) is kept as a reference;
- a literal secret is stored sealed, bound to its record and field, or not at all;
- nothing here tells a secret: only whether one is set, where it comes from, and a fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from conversation.stores.records import Record
from gateway.admin.errors import FieldProblem, InvalidError
from gateway.bot_settings import STORED_SECTIONS, Agent, StoredBot
from gateway.config_file import KeyPath, named
from gateway.keyring import SEALED, Keyring, UnreadableSecretError
from gateway.secret import Sources, is_reference, place, resolve
from gateway.settings_errors import explained

M = TypeVar("M", bound=BaseModel)

JsonObject = dict[str, JsonValue]


class SecretView(BaseModel):
    """``source``: ``stored``, ``file`` (it stands in the configuration file), ``env:NAME`` or ``file:PATH``.

    ``fingerprint`` is the beginning of its SHA-256, to be compared with ``sha256sum``. ``problem``: why it cannot be
    read, and what to do.
    """

    model_config = ConfigDict(frozen=True)

    set: bool
    source: str | None = None
    fingerprint: str | None = None
    problem: str | None = None


def fingerprint(secret: SecretStr) -> str:
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()[:8]


def view_of(secret: SecretStr | None) -> SecretView:
    """Of one that stands in the configuration file."""
    return (
        SecretView(set=False)
        if secret is None
        else SecretView(set=True, source="file", fingerprint=fingerprint(secret))
    )


@dataclass(frozen=True, slots=True)
class Kind(Generic[M]):
    """What a kind of document is: its name in the store, its model, and where its secrets are."""

    name: str
    model: TypeAdapter[M]
    secrets: Mapping[str, tuple[KeyPath, ...]]
    """By the value of ``channel`` (bots), or under the empty text."""

    def secret_paths(self, document: JsonObject) -> tuple[KeyPath, ...]:
        channel = document.get("channel", "")
        return self.secrets.get(channel if isinstance(channel, str) else "", ())


AGENTS: Kind[Agent] = Kind("agent", TypeAdapter(Agent), {"": (("api_key",),)})
BOTS: Kind[StoredBot] = Kind(
    "bot",
    TypeAdapter(StoredBot),
    {
        "slack": tuple(
            ("credentials", name)
            for name in ("signing_secret", "bot_token", "client_id", "client_secret", "app_token")
        ),
        "lark": tuple(
            ("credentials", name) for name in ("app_id", "app_secret", "encrypt_key", "verification_token")
        ),
    },
)


def read(kind: Kind[M], id: str, document: JsonObject, sources: Sources) -> M:
    """The document's settings, its secrets resolved. Raises InvalidError."""
    problems: list[FieldProblem] = []
    try:
        return kind.model.validate_python(document, context=replace(sources, owner=f"{kind.name}/{id}"))
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            prefixed = {**detail, "loc": (f"{kind.name}s", 0, *detail["loc"])}
            path, text = explained(prefixed, STORED_SECTIONS)  # type: ignore[arg-type]  # still an ErrorDetails
            problems.append(FieldProblem(named(path[2:]) or kind.name, text))
    # Raised here, not while handling pydantic's error: that one holds the values that did not fit.
    raise InvalidError(problems)


def load(record: Record) -> JsonObject:
    """What is stored, as it was written. Raises InvalidError."""
    try:
        document = orjson.loads(record.document)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or document.get("id") != record.id:
        raise InvalidError([FieldProblem(record.kind, "its record is damaged; remove it, and make it anew")])
    return document


def dump(document: JsonObject) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def sealed(
    kind: Kind[M], id: str, document: JsonObject, before: JsonObject, keyring: Keyring | None
) -> JsonObject:
    """The document with every secret that is new in it sealed. ``before``: as it was stored. Raises InvalidError."""
    result = deepcopy(document)
    problems: list[FieldProblem] = []
    for path in kind.secret_paths(result):
        written = _at(result, path)
        if (
            not isinstance(written, str)
            or not written
            or written == _at(before, path)
            or is_reference(written)
        ):
            continue
        if keyring is None:
            problems.append(
                FieldProblem(
                    named(path),
                    "cannot be kept, as no secrets_key is configured; set secrets_key and restart, or write env:NAME"
                    " or file:PATH",
                )
            )
            continue
        _put(result, path, keyring.seal(written, place(f"{kind.name}/{id}", str(path[-1]))))
    if problems:
        raise InvalidError(problems)
    return result


@dataclass(frozen=True, slots=True)
class Resealed:
    """``resealed`` and ``current`` count secrets; ``unreadable`` names their places."""

    resealed: int
    current: int
    unreadable: tuple[str, ...]


def resealed(kind: str, id: str, document: JsonObject, keyring: Keyring) -> tuple[JsonObject, Resealed]:
    """The document with what an older key sealed sealed by the first."""
    result = deepcopy(document)
    anew = current = 0
    unreadable = []
    for path in (BOTS if kind == BOTS.name else AGENTS).secret_paths(result):
        written, owner = _at(result, path), place(f"{kind}/{id}", str(path[-1]))
        if not isinstance(written, str) or not written.startswith(SEALED):
            continue
        if keyring.is_current(written):
            current += 1
            continue
        try:
            _put(result, path, keyring.seal(keyring.open(written, owner), owner))
        except UnreadableSecretError:
            unreadable.append(owner)
        else:
            anew += 1
    return result, Resealed(anew, current, tuple(unreadable))


def views(kind: Kind[M], id: str, document: JsonObject, sources: Sources) -> dict[str, SecretView]:
    """Of every secret that a document of this kind may have. One that cannot be read hides no other."""
    return {
        str(path[-1]): _view(kind, id, path, _at(document, path), sources)
        for path in kind.secret_paths(document)
    }


def merged(document: JsonValue, patch: JsonObject, *, keep_none: bool = False) -> JsonObject:
    """A merge patch (RFC 7396): None takes a key away; with ``keep_none`` two patches become one."""
    result: JsonObject = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None and not keep_none:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key), value, keep_none=keep_none)
        else:
            result[key] = value
    return result


def _view(kind: Kind[M], id: str, path: KeyPath, written: JsonValue, sources: Sources) -> SecretView:
    if not isinstance(written, str) or not written:
        return SecretView(set=False)
    source = "stored" if written.startswith(SEALED) else written
    try:
        secret = resolve(written, str(path[-1]), replace(sources, owner=f"{kind.name}/{id}"))
    except PydanticCustomError as error:
        return SecretView(set=True, source=source, problem=error.message())
    return SecretView(set=True, source=source, fingerprint=fingerprint(secret))


def _at(document: JsonValue, path: KeyPath) -> JsonValue:
    for step in path:
        document = document.get(str(step)) if isinstance(document, dict) else None
    return document


def _put(document: JsonObject, path: KeyPath, value: str) -> None:
    """``path`` leads to a text that is there."""
    *way, last = map(str, path)
    for step in way:
        inner = document[step]
        assert isinstance(inner, dict)
        document = inner
    document[last] = value
