"""The port to the audit log: who changed what, when. It is only appended to, and forgotten by age alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Deed:
    """``who`` did ``action`` (such as bot.changed) to ``target`` (such as bot/helpdesk). ``detail`` names what was
    changed; it holds no secret and no message text.
    """

    who: str
    action: str
    target: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """``position`` rises with every entry."""

    position: int
    at: float
    deed: Deed


class AuditLog(Protocol):
    async def append(self, deed: Deed) -> None: ...

    async def before(self, position: int | None, limit: int) -> tuple[AuditEntry, ...]:
        """Up to ``limit`` entries below ``position`` (None: from the end), newest first."""
        ...
