"""``/api/v1/audit``."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.audit import Audit, AuditView
from gateway.admin.paging import Page
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject


def subject(audit: Audit) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        return Answer(await audit.page(ask.who, cursor=ask.query.cursor, limit=ask.query.limit))

    return Subject(
        "audit",
        "Who changed what, when.",
        (
            Endpoint(
                "listAudit",
                "GET",
                "/audit",
                listed,
                "What was changed, the newest first",
                needs=Permission.READ_AUDIT,
                query=PageQuery,
                answers=Page[AuditView],
            ),
        ),
    )
