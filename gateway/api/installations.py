"""``/api/v1/bots/{id}/installations``."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.installations import BotInstallations, InstallationView
from gateway.admin.paging import Page, paged
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject


def subject(installations: BotInstallations) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        found = await installations.list(ask.who, ask.path["id"])
        return Answer(paged("installations", found, _place, ask.query.cursor, ask.query.limit))

    async def forgotten(ask: Ask[None, None]) -> Answer:
        await installations.forget(ask.who, ask.path["id"], ask.path["place"])
        return Answer()

    return Subject(
        "installations",
        "The workspaces in which a bot was installed by OAuth.",
        (
            Endpoint(
                "listInstallations",
                "GET",
                "/bots/{id}/installations",
                listed,
                "The workspaces in which a bot is, by id, without its tokens",
                needs=Permission.READ,
                query=PageQuery,
                answers=Page[InstallationView],
                problems=frozenset({409}),
            ),
            Endpoint(
                "forgetInstallation",
                "DELETE",
                "/bots/{id}/installations/{place}",
                forgotten,
                "Use an installation no more; the app stays in the workspace until somebody there removes it",
                needs=Permission.CONFIGURE,
                problems=frozenset({409}),
            ),
        ),
    )


def _place(one: InstallationView) -> tuple[str]:
    return (one.place,)
