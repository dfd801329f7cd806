"""The port to what keeps secrets of a channel's own in the store: sealed, and bound to their place.

A document in the store holds a sealed secret as a text at its top level, under the name of its field. ``place`` binds
it there, and ``SEALED_KINDS`` lists the kinds of such records: ``turnkeeper secrets rotate`` goes through them.
"""

from __future__ import annotations

from typing import Protocol

INSTALLATIONS = "slack-installation"
APP_TICKETS = "lark-app-ticket"

SEALED_KINDS = (INSTALLATIONS, APP_TICKETS)


class SealBrokenError(Exception):
    """The text says why a secret cannot be read, and what to do."""


class Sealer(Protocol):
    def seal(self, value: str, owner: str) -> str: ...

    def open(self, sealed: str, owner: str) -> str:
        """Raises SealBrokenError."""
        ...


class NoSealer:
    """Where no key is configured: nothing can be sealed, nor opened."""

    def seal(self, value: str, owner: str) -> str:  # noqa: ARG002 - the port's signature
        raise SealBrokenError(NO_KEY)

    def open(self, sealed: str, owner: str) -> str:  # noqa: ARG002 - the port's signature
        raise SealBrokenError(NO_KEY)


NO_KEY = "secrets_key is not set; make one with `openssl rand -base64 32`, set it, and restart"


def place(kind: str, id: str, field: str) -> str:
    return f"{kind}/{id}#{field}"
