"""Who changed what, when: written by every service that changes something, read by who may.

Invariant: it holds neither a secret nor what a person wrote; ``detail`` names fields, never values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

import structlog
from pydantic import BaseModel, ConfigDict

from conversation.stores.audit import AuditEntry, AuditLog, Deed
from gateway.admin.access import Permission, Principal
from gateway.admin.paging import Page, read_cursor, write_cursor, wrong_cursor

_log = structlog.get_logger()


class AuditView(BaseModel):
    """``who`` did ``action`` (such as bot.changed) to ``target`` (such as bot/helpdesk)."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    who: str
    action: str
    target: str
    detail: str

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        deed = entry.deed
        return cls(
            at=datetime.fromtimestamp(entry.at, UTC),
            who=deed.who,
            action=deed.action,
            target=deed.target,
            detail=deed.detail,
        )


class Audit:
    def __init__(self, store: AuditLog) -> None:
        self._store = store

    async def record(self, who: Principal | str, action: str, target: str, detail: str = "") -> None:
        """Once it is done; it stands in the log as well. Raises StoreUnavailableError."""
        name = who if isinstance(who, str) else who.name
        _log.info("administered", who=name, action=action, target=target)
        await self._store.append(Deed(name, action, target, detail))

    async def page(self, who: Principal, *, cursor: str | None, limit: int) -> Page[AuditView]:
        """Newest first. Raises NotAllowedError, and InvalidError for a cursor of something else."""
        who.check(Permission.READ_AUDIT)
        entries = await self._store.before(None if cursor is None else _position(cursor), limit + 1)
        shown = entries[:limit]
        more = len(entries) > limit
        return Page[AuditView](
            items=tuple(AuditView.of(entry) for entry in shown),
            next=write_cursor("audit", str(shown[-1].position)) if more else None,
        )


def _position(cursor: str) -> int:
    match read_cursor("audit", cursor):
        case (str(position),) if position.isascii() and position.isdigit():
            return int(position)
        case _:
            raise wrong_cursor()
