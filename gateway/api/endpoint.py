"""An endpoint, declared: everything that a caller has to know, and the function that does it.

Routes, validation and ``openapi.json`` are all made from these declarations, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from gateway.admin.access import Permission, Principal
from gateway.admin.paging import LARGEST_PAGE, USUAL_PAGE

Q = TypeVar("Q")
B = TypeVar("B")


class Query(BaseModel):
    """The parameters of a query; an unknown one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PageQuery(Query):
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Items of a page, at most.")] = USUAL_PAGE
    cursor: Annotated[
        str | None, Field(max_length=1000, description="What `next` of the page before said.")
    ] = None


@dataclass(frozen=True, slots=True)
class Ask(Generic[Q, B]):
    """What an endpoint is asked. ``path`` holds the parts of the path that vary.

    ``version`` is what If-Match says; None where it is ``*``, or not asked for. ``request`` names this wish: who
    repeats it sends the same. ``streamed``: the answer is wanted as it grows. ``last_event`` is Last-Event-ID, or
    empty.
    """

    who: Principal
    path: Mapping[str, str]
    query: Q
    body: B
    request: str
    version: int | None = None
    streamed: bool = False
    last_event: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """``version`` becomes the ETag; ``location`` is a path of the API."""

    body: BaseModel | None = None
    version: int | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One server-sent event."""

    data: BaseModel
    id: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events as they come, None to keep the connection alive. It may never end."""

    events: AsyncIterator[Sent | None]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Q, B]):
    """``needs``: the role must include it, else 403; for which bots is decided by the service. None: any token will
    do.

    ``takes`` is the model of the body, which ``Ask.body`` then is; with ``raw`` it is only described by it, and
    handed over as a JsonObject that the service checks. ``query`` likewise. ``answers`` is the model of a 2xx body;
    without, the answer is 204. ``streams`` is the model of an event's data; with ``answers`` too the caller chooses
    with Accept. ``guarded``: it asks for If-Match. ``versioned``: it answers with an ETag. ``remembered``: a POST
    with the same Idempotency-Key is answered as before. ``problems``: statuses beyond those that follow from
    the rest.
    """

    name: str
    method: Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
    path: str
    does: Callable[[Ask[Q, B]], Awaitable[Answer | Stream]]
    summary: str
    needs: Permission | None = None
    description: str = ""
    query: type[Q] | None = None
    takes: type[BaseModel] | None = None
    raw: bool = False
    answers: type[BaseModel] | None = None
    status: int = 200
    streams: type[BaseModel] | None = None
    guarded: bool = False
    versioned: bool = False
    remembered: bool = True
    problems: frozenset[int] = frozenset()


AnyEndpoint: TypeAlias = Endpoint[Any, Any]  # Any: each has a query and a body of its own


@dataclass(frozen=True, slots=True)
class Subject:
    """Endpoints that belong together."""

    name: str
    about: str
    endpoints: tuple[AnyEndpoint, ...]
