"""Who may do what: roles, and the bots they are for.

Invariant: every service in this package checks its caller's ``Principal`` before it tells or does anything, so that
the API and the console cannot forget to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from gateway.admin.errors import NotAllowedError

Role = Literal["admin", "operator", "auditor", "viewer"]


class Permission(StrEnum):
    """``READ``: all but texts and the audit. ``OPERATE``: stop, retry, drop, test, talk. ``ADMINISTER``: tokens, and
    one person's data.
    """

    READ = "read"
    READ_TEXTS = "read texts"
    READ_AUDIT = "read the audit"
    OPERATE = "operate"
    CONFIGURE = "configure"
    ADMINISTER = "administer"


_OF_ROLE: dict[Role, frozenset[Permission]] = {
    "viewer": frozenset({Permission.READ}),
    "auditor": frozenset({Permission.READ, Permission.READ_TEXTS, Permission.READ_AUDIT}),
    "operator": frozenset({Permission.READ, Permission.READ_TEXTS, Permission.OPERATE}),
    "admin": frozenset(Permission),
}

_OF_ALL_BOTS = frozenset({Permission.READ_AUDIT, Permission.ADMINISTER})
"""What concerns more than one bot: not for a principal of some bots."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``name`` stands in the audit, such as ``token:ci``. ``bots`` is None for all bots."""

    name: str
    role: Role
    bots: frozenset[str] | None = None

    def sees(self, bot: str) -> bool:
        """``bot`` may also be one of those made beside a bot or an agent, see ``beside``. Nobody sees the canary."""
        if bot == CANARY_BOT:
            return False
        return self.bots is None or beside(bot) in self.bots

    def may(self, permission: Permission, bot: str | None = None) -> bool:
        """Without ``bot``: for what belongs to no bot, such as an agent."""
        if permission not in _OF_ROLE[self.role]:
            return False
        if self.bots is None:
            return True
        if bot is not None:
            return self.sees(bot)
        return permission not in _OF_ALL_BOTS | {Permission.CONFIGURE}

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role includes, each for some bots at least."""
        role = _OF_ROLE[self.role]
        return role if self.bots is None else role - _OF_ALL_BOTS

    def check(self, permission: Permission, bot: str | None = None) -> None:
        """Raises NotAllowedError."""
        if not self.may(permission, bot):
            scope = "" if permission not in _OF_ROLE[self.role] else ", and for all bots"
            raise NotAllowedError(
                f"{self.name} is {self.role} and may not {permission}{f' at {bot}' if bot else ''}; use a token whose"
                f" role includes it{scope}"
            )


CANARY_BOT = "canary~gateway"
"""The hidden bot of the end-to-end canary, see ``gateway.pulse``."""


def playground_bot(agent: str) -> str:
    """The hidden bot by which an agent is talked to in the playground."""
    return f"playground~{agent}"


def selftest_bot(bot: str) -> str:
    """The hidden bot by which a bot is tested."""
    return f"selftest~{bot}"


def beside(bot: str) -> str:
    """The bot that a hidden one was made for (``selftest~helpdesk``); of others, itself. No slug holds a tilde."""
    kind, _, of = bot.partition("~")
    return of if kind == "selftest" else bot
