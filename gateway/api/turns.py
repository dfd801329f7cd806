"""``/api/v1/turns``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway.admin.access import Permission
from gateway.admin.turns import Turns, TurnStory
from gateway.api.endpoint import Answer, Ask, Endpoint, Query, Subject


class TurnQuery(Query):
    what: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            description="A turn's id, the reference of a notice, a conversation's key, or a link to a message.",
        ),
    ]


class TurnStories(BaseModel):
    """Newest last."""

    model_config = ConfigDict(frozen=True)

    items: tuple[TurnStory, ...]


def subject(turns: Turns) -> Subject:
    async def explained(ask: Ask[TurnQuery, None]) -> Answer:
        return Answer(TurnStories(items=await turns.explain(ask.who, ask.query.what)))

    return Subject(
        "turns",
        "Why a message was answered as it was.",
        (
            Endpoint(
                "explainTurn",
                "GET",
                "/turns",
                explained,
                "Why was this answered so, or not at all: every event of a turn, and a sentence",
                needs=Permission.READ,
                query=TurnQuery,
                answers=TurnStories,
                problems=frozenset({404}),
            ),
        ),
    )
