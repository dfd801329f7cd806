"""``/api/v1/tokens``."""

from __future__ import annotations

from gateway.admin.access import Permission
from gateway.admin.paging import Page, paged
from gateway.admin.tokens import CreatedToken, NewToken, Tokens, TokenView
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject


def subject(tokens: Tokens) -> Subject:
    async def listed(ask: Ask[PageQuery, None]) -> Answer:
        made = await tokens.list(ask.who)
        return Answer(paged("tokens", made, _place, ask.query.cursor, ask.query.limit))

    async def created(ask: Ask[None, NewToken]) -> Answer:
        made = await tokens.create(ask.who, ask.body)
        return Answer(made, location=f"/tokens/{made.id}")

    async def shown(ask: Ask[None, None]) -> Answer:
        return Answer(await tokens.get(ask.who, ask.path["id"]))

    async def revoked(ask: Ask[None, None]) -> Answer:
        await tokens.revoke(ask.who, ask.path["id"])
        return Answer()

    return Subject(
        "tokens",
        "Bearer tokens of this API.",
        (
            Endpoint(
                "listTokens",
                "GET",
                "/tokens",
                listed,
                "All tokens that were made, oldest first, without their secrets",
                needs=Permission.ADMINISTER,
                query=PageQuery,
                answers=Page[TokenView],
            ),
            Endpoint(
                "createToken",
                "POST",
                "/tokens",
                created,
                "Make a token; its secret is told in this answer alone",
                needs=Permission.ADMINISTER,
                takes=NewToken,
                answers=CreatedToken,
                status=201,
            ),
            Endpoint(
                "getToken",
                "GET",
                "/tokens/{id}",
                shown,
                "A token, without its secret",
                needs=Permission.ADMINISTER,
                answers=TokenView,
            ),
            Endpoint(
                "revokeToken",
                "DELETE",
                "/tokens/{id}",
                revoked,
                "Revoke a token, at once and everywhere",
                needs=Permission.ADMINISTER,
            ),
        ),
    )


def _place(token: TokenView) -> tuple[float, str]:
    return token.created_at.timestamp(), token.id
