"""Certificates in the configuration: the path of a file, relative to the folder of the configuration file."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

from gateway.secret import Sources
from gateway.setting_values import invalid

_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def _found(written: object, info: ValidationInfo) -> Path | None:
    """An empty text is no file: ``${NAME:-}`` leaves it away."""
    if written in (None, ""):
        return None
    if not isinstance(written, str):
        raise invalid("must be text: the path of a file")
    sources = info.context
    if not isinstance(sources, Sources):
        raise TypeError("paths are validated with Sources as context")
    path = sources.directory / written
    remedy = "put the certificate of the authority there, as PEM"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:  # which is an OSError
        raise invalid(f"file {path} holds no certificate; {remedy}") from None
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a path"
        raise invalid(f"file {path} cannot be read: {cause}; {remedy}") from None
    return path


OptionalCertificates = Annotated[Path | None, BeforeValidator(_found), WithJsonSchema(_SCHEMA)]
