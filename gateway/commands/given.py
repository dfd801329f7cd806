"""What is written behind a command, as a document of the API."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence

from gateway.commands.errors import CommandError
from gateway.documents import JsonObject, merged


def document(settings: Sequence[str], secrets: Sequence[str], *, under: str) -> JsonObject:
    """``settings`` are KEY=VALUE with dots for what is inside; ``secrets`` go ``under`` this key, or to the top.

    Raises CommandError.
    """
    found: JsonObject = {}
    for written in settings:
        key, separator, value = written.partition("=")
        if not separator or not key:
            raise CommandError(f"--set {written}: write KEY=VALUE, such as max_age=10m")
        found = merged(found, _nested(key.split("."), _value(value)), keep_none=True)
    for written in secrets:
        name, separator, value = written.partition("=")
        if not separator or not name:
            raise CommandError("--secret: write NAME=env:VARIABLE, NAME=file:PATH or NAME=-")
        inside = [under, name] if under else [name]
        found = merged(found, _nested(inside, _secret(name, value)), keep_none=True)
    return found


def _nested(steps: Sequence[str], value: object) -> JsonObject:
    result: JsonObject = {steps[-1]: value}  # type: ignore[dict-item]  # as JSON has it
    for step in reversed(steps[:-1]):
        result = {step: result}
    return result


def _value(text: str) -> object:
    """JSON where it is, such as false, 3 or ["U1"]; else the text itself."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _secret(name: str, written: str) -> str:
    if written.startswith(("env:", "file:")):
        return written
    if written != "-":
        raise CommandError(
            f"--secret {name}: not the secret itself, which other users of this machine would see; write"
            " env:VARIABLE, file:PATH, or - to be asked for it"
        )
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: ")
    return sys.stdin.readline().rstrip("\r\n")
