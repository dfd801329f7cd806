"""``/api/v1/conversations``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, RootModel

from gateway.admin.access import Permission
from gateway.admin.conversation_views import ConversationDetail, ConversationView
from gateway.admin.conversations import CommandDone, CommandInput, ConversationDesk
from gateway.admin.paging import Page
from gateway.api.endpoint import Answer, Ask, Endpoint, PageQuery, Subject


class ConversationQuery(PageQuery):
    bot: Annotated[str | None, Field(max_length=200, description="Only this bot's.")] = None


class NewCommand(RootModel[CommandInput]):
    """What is to be said or done in a conversation."""


def subject(desk: ConversationDesk) -> Subject:
    async def listed(ask: Ask[ConversationQuery, None]) -> Answer:
        query = ask.query
        return Answer(await desk.list(ask.who, bot=query.bot, cursor=query.cursor, limit=query.limit))

    async def shown(ask: Ask[None, None]) -> Answer:
        return Answer(await desk.get(ask.who, ask.path["key"]))

    async def commanded(ask: Ask[None, NewCommand]) -> Answer:
        return Answer(await desk.command(ask.who, ask.path["key"], ask.body.root, ask.request))

    return Subject(
        "conversations",
        "Conversations, their queues and what was said.",
        (
            Endpoint(
                "listConversations",
                "GET",
                "/conversations",
                listed,
                "Those of the last 30 days, the newest activity first",
                needs=Permission.READ,
                query=ConversationQuery,
                answers=Page[ConversationView],
                problems=frozenset({404}),
            ),
            Endpoint(
                "getConversation",
                "GET",
                "/conversations/{key}",
                shown,
                "A conversation with its queue, and what was said where the role may read texts",
                needs=Permission.READ,
                answers=ConversationDetail,
            ),
            Endpoint(
                "commandConversation",
                "POST",
                "/conversations/{key}/commands",
                commanded,
                "Say something in it, stop its reply, bind it to an agent, clear or end it",
                needs=Permission.OPERATE,
                description="All but a cancel wait in line with what people write.",
                takes=NewCommand,
                answers=CommandDone,
            ),
        ),
    )
