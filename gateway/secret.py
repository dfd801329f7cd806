"""Secrets: literal, ``env:NAME`` or ``file:PATH``, and in a stored record sealed; resolved while it is read.

Invariant: no error text holds the value, nor what was written in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, SecretStr, ValidationInfo
from pydantic_core import PydanticCustomError

from gateway.keyring import SEALED, Keyring, UnreadableSecretError
from gateway.setting_values import invalid

_LARGEST_FILE = 64 << 10

MISSING = "secret_missing"
"""The type of pydantic's error where a reference leads to nothing, as against one that is itself wrong."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where references point: the validation context of every model that holds a secret.

    ``owner`` names the stored record that is read, such as ``bot/helpdesk``; empty: what is read is a file.
    """

    environ: Mapping[str, str]
    directory: Path
    keyring: Keyring | None = None
    owner: str = ""


def _missing(text: str) -> PydanticCustomError:
    return PydanticCustomError(MISSING, "{text}", {"text": text})


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name, "")
    if not value:
        raise _missing(f"environment variable {name} is {'empty' if name in environ else 'not set'}; set it")
    return value


def _from_file(name: str, directory: Path) -> str:
    if "\0" in name:
        raise invalid("names no file: there is a NUL in it")
    path = directory / name
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise invalid(f"{path} is not a file; put the secret into one")  # a pipe may never end
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _missing(f"file {path} cannot be read: {error.strerror}; put the secret there") from error
    except UnicodeError:
        raise invalid("names no file: it is not text") from None
    if len(content) > _LARGEST_FILE:
        raise invalid(f"file {path} is larger than {_LARGEST_FILE} bytes; is it the right one?")
    try:
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise invalid(f"file {path} is not text") from None
    if not value:
        raise _missing(f"file {path} is empty; put the secret there")
    return value


def place(owner: str, field: str) -> str:
    """What a secret of a record is bound to."""
    return f"{owner}#{field}"


def is_reference(written: str) -> bool:
    return written.startswith(("env:", "file:"))


def _opened(sealed: str, field: str, sources: Sources) -> str:
    if sources.keyring is None:
        raise invalid("cannot be read: secrets_key is not set; set it as it was, or enter the secret again")
    try:
        return sources.keyring.open(sealed, place(sources.owner, field))
    except UnreadableSecretError as error:
        raise invalid(
            f"cannot be read: {error}; add that key to secrets_key, or enter the secret again"
        ) from None


def resolve(written: str, field: str, sources: Sources) -> SecretStr:
    """What a text stands for. Raises PydanticCustomError with the remedy."""
    if sources.owner and written.startswith(SEALED):
        return SecretStr(_opened(written, field, sources))
    kind, separator, name = written.partition(":")
    if separator and kind == "env":
        return SecretStr(_from_environment(name, sources.environ))
    if separator and kind == "file":
        return SecretStr(_from_file(name, sources.directory))
    return SecretStr(written)


def _resolved(written: object, info: ValidationInfo) -> SecretStr:
    if not isinstance(written, str):
        raise invalid("must be text; put it in quotes, or write env:NAME or file:PATH")
    sources = info.context
    if not isinstance(sources, Sources):
        raise TypeError("secrets are validated with Sources as context")
    return resolve(written, info.field_name or "", sources)


def _required(written: object, info: ValidationInfo) -> SecretStr:
    secret = _resolved(written, info)
    if not secret.get_secret_value():
        raise invalid("is empty; write env:NAME, file:PATH or the secret itself")
    return secret


def _optional(written: object, info: ValidationInfo) -> SecretStr | None:
    """An empty text is no secret: ``${NAME:-}`` leaves one away."""
    return None if written in (None, "") else _resolved(written, info)


Secret = Annotated[SecretStr, BeforeValidator(_required)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_optional)]
