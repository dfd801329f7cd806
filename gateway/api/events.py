"""``/api/v1/events``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

from pydantic import Field

from gateway.admin.access import Permission
from gateway.admin.errors import FieldProblem, InvalidError
from gateway.admin.events import CloudEvent, Events
from gateway.api.endpoint import Ask, Endpoint, Query, Sent, Stream, Subject

_LONGEST_POSITION = 40


class EventQuery(Query):
    bot: Annotated[str | None, Field(max_length=200, description="Only what happens at this bot.")] = None


def subject(events: Events) -> Subject:
    async def followed(ask: Ask[EventQuery, None]) -> Stream:
        return Stream(_sent(events.follow(ask.who, after=_position(ask.last_event), bot=ask.query.bot)))

    return Subject(
        "events",
        "What happens to conversations, as it happens.",
        (
            Endpoint(
                "followEvents",
                "GET",
                "/events",
                followed,
                "Follow what happens, as CloudEvents without any text",
                needs=Permission.READ,
                description="From now on, or from where Last-Event-ID says, as far back as events are kept. Comments"
                " keep the connection alive.",
                query=EventQuery,
                streams=CloudEvent,
                problems=frozenset({404}),
            ),
        ),
    )


async def _sent(happening: AsyncGenerator[CloudEvent | None, None]) -> AsyncIterator[Sent | None]:
    async with aclosing(happening):
        async for event in happening:
            yield None if event is None else Sent(event, event.id)


def _position(last_event: str) -> int | None:
    if not last_event:
        return None
    if not (last_event.isascii() and last_event.isdigit() and len(last_event) <= _LONGEST_POSITION):
        raise InvalidError(
            [
                FieldProblem(
                    "Last-Event-ID", "is not the id of an event; leave it out to begin with what is new"
                )
            ]
        )
    return int(last_event)
