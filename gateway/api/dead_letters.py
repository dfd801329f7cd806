"""``/api/v1/dead-letters``."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.dead_letters import DeadLetters, Letter, Retried, Summary
from gateway.admin.paging import Page
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject


def subject(letters: DeadLetters) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        return Answer(await letters.page(ask.who, cursor=ask.query.cursor, limit=ask.query.limit))

    async def shown(ask: Ask[None, None]) -> Answer:
        return Answer(await letters.show(ask.who, ask.path["id"]))

    async def retried(ask: Ask[None, None]) -> Answer:
        return Answer(await letters.retry(ask.who, ask.path["id"]))

    async def dropped(ask: Ask[None, None]) -> Answer:
        await letters.drop(ask.who, ask.path["id"])
        return Answer()

    return Subject(
        "dead-letters",
        "Messages that could not be answered.",
        (
            Endpoint(
                "listDeadLetters",
                "GET",
                "/dead-letters",
                listed,
                "All of them, oldest first, without what was written",
                needs=Permission.READ,
                query=PageQuery,
                answers=Page[Summary],
            ),
            Endpoint(
                "getDeadLetter",
                "GET",
                "/dead-letters/{id}",
                shown,
                "One of them, with what was written where the role may read texts",
                needs=Permission.READ,
                answers=Letter,
            ),
            Endpoint(
                "retryDeadLetter",
                "POST",
                "/dead-letters/{id}/retry",
                retried,
                "Queue its messages again, as one turn, and drop it",
                needs=Permission.OPERATE,
                answers=Retried,
            ),
            Endpoint(
                "dropDeadLetter",
                "DELETE",
                "/dead-letters/{id}",
                dropped,
                "Forget it",
                needs=Permission.OPERATE,
            ),
        ),
    )
