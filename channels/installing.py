"""The port to what installs a bot in a workspace, from a person's browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Trouble(Enum):
    """Why nothing was installed."""

    NOT_READY = "not_ready"
    """The gateway's configuration lacks something; its admin knows from the log what."""
    EXPIRED = "expired"
    """The way back took too long, was taken before, or was begun in another browser."""
    DENIED = "denied"
    """The person, or the workspace's admin, said no."""
    REFUSED = "refused"
    """The platform did not accept what it had sent itself."""
    UNAVAILABLE = "unavailable"
    """Platform or store cannot be reached; trying again may help."""


class InstallError(Exception):
    """``detail`` is for the log, and holds no secret."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"{trouble.value}: {detail}")
        self.trouble = trouble
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Installed:
    """``name`` is the workspace's; ``open_url`` leads into it."""

    name: str
    open_url: str


@dataclass(frozen=True, slots=True)
class InstallationView:
    """What an admin sees. ``place`` is the id of the workspace or, where the app is in all of its workspaces, of the
    organisation. Times are in seconds since 1970; ``expires_at`` is None for a token that does not. ``problem``: what
    an admin has to do.
    """

    place: str
    name: str
    organisation: bool
    scopes: tuple[str, ...]
    installed_at: float
    installed_by: str
    expires_at: float | None
    problem: str | None


class Installer(Protocol):
    """Of one bot that may be in several workspaces."""

    def begin(self, browser: str) -> str:
        """Where the person is sent: to the platform, which asks whether the app may be installed. ``browser`` is the
        secret of this browser, which comes back with it. Raises InstallError.
        """
        ...

    async def finish(self, query: Mapping[str, str], browser: str) -> Installed:
        """The person comes back from the platform. Raises InstallError."""
        ...

    async def installations(self) -> tuple[InstallationView, ...]:
        """By place. Raises StoreUnavailableError, and InstallError where the gateway lacks something."""
        ...

    async def forget(self, place: str) -> bool:
        """Use it no more; whether it was there. At the platform the app stays. Raises as ``installations``."""
        ...
