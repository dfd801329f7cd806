"""What a request says, checked against its endpoint's declaration before anything is done."""

from __future__ import annotations

import re
import uuid
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.admin.errors import FieldProblem, InvalidError
from gateway.admin.fields import invalid_fields
from gateway.api.auth import CALLER
from gateway.api.conditions import expected_version
from gateway.api.endpoint import AnyEndpoint, Ask
from gateway.api.problems import ProblemError
from gateway.body import read_body
from gateway.documents import JsonObject

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
EVENT_STREAM = "text/event-stream"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_object: TypeAdapter[JsonObject] = TypeAdapter(JsonObject)


def media_types(endpoint: AnyEndpoint) -> tuple[str, ...]:
    """In which a body may come."""
    return (MERGE_PATCH, JSON) if endpoint.method == "PATCH" else (JSON,)


def idempotency_key(request: web.Request) -> str | None:
    """Raises InvalidError."""
    given = request.headers.getall("Idempotency-Key", ())
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise InvalidError(
            [FieldProblem("Idempotency-Key", "must be 1 to 255 visible ASCII characters, such as a UUID")]
        )
    return given[0]


async def read_ask(
    endpoint: AnyEndpoint, request: web.Request, key: str | None
) -> tuple[Ask[Any, Any], bytes]:
    """What is asked, and the body as it came. Raises ProblemError and InvalidError."""
    raw = b""
    body: object = None
    if endpoint.takes is not None:
        if request.content_type not in media_types(endpoint):
            wanted = " or ".join(media_types(endpoint))
            raise ProblemError(415, f"the body must be JSON; send Content-Type: {wanted}")
        raw = await read_body(request)
        body = _object_of(raw) if endpoint.raw else _body_of(raw, endpoint.takes)
    ask = Ask(
        who=request[CALLER],
        path=dict(request.match_info),
        query=None if endpoint.query is None else _query_of(request, endpoint.query),
        body=body,
        request=key or str(uuid.uuid4()),
        version=expected_version(request) if endpoint.guarded else None,
        streamed=EVENT_STREAM in request.headers.get("Accept", "").lower(),
        last_event=request.headers.get("Last-Event-ID", ""),
    )
    return ask, raw


def _body_of(raw: bytes, model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _refused(error, model) from None


def _object_of(raw: bytes) -> JsonObject:
    try:
        return _object.validate_json(raw, strict=True)
    except ValidationError as error:
        raise _refused(error, None) from None


def _refused(error: ValidationError, model: type[BaseModel] | None) -> ProblemError | InvalidError:
    if any(one["type"] == "json_invalid" for one in error.errors(include_input=False)):
        return ProblemError(400, "the body is not JSON; send one JSON object, in UTF-8")
    return invalid_fields(error, model)


def _query_of(request: web.Request, model: type[BaseModel]) -> BaseModel:
    given = dict(request.query)
    if len(given) != len(request.query):
        twice = sorted(name for name in given if len(request.query.getall(name)) > 1)
        raise InvalidError([FieldProblem(name[:200], "is given twice; send one") for name in twice])
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise invalid_fields(error, model) from None
