"""``/api/v1/openapi.json``: OpenAPI 3.1, made of the endpoints' declarations and their pydantic models.

Imported and made when somebody first asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from inspect import cleandoc

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway import __version__
from gateway.api.endpoint import AnyEndpoint, Subject
from gateway.api.problems import CONTENT_TYPE, Problem
from gateway.api.request import EVENT_STREAM, JSON, media_types
from gateway.api.routes import PREFIX, REPEATED
from gateway.documents import JsonObject

_REF = "#/components/schemas/{model}"
_ABOUT = """
The admin and automation API of Turnkeeper. Errors are RFC 9457 problem documents whose `detail` says what to do.
Records carry an ETag, which a change or deletion sends back as If-Match. A POST with an Idempotency-Key may be
repeated for 24 hours and is done once.
"""

_Refs = dict[tuple[type[BaseModel], JsonSchemaMode], JsonObject]

_HEADERS: JsonObject = {
    "ETag": {
        "description": "The version of the record.",
        "schema": {"type": "string", "pattern": '^"(0|[1-9][0-9]*)"$'},
    },
    "Location": {"description": "Where it is found.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "WWW-Authenticate": {"description": "RFC 6750.", "schema": {"type": "string"}},
    REPEATED: {
        "description": "The answer was given before, to a request with the same Idempotency-Key.",
        "schema": {"const": "true"},
    },
}

_PROBLEM_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}

_IF_MATCH: JsonObject = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the version that was seen, or * for any.",
    "schema": {"type": "string", "pattern": r'^("(0|[1-9][0-9]{0,17})"|\*)$'},
}
_IDEMPOTENCY_KEY: JsonObject = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request, such as with a UUID; repeated within 24 hours it is done once.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
}
_LAST_EVENT: JsonObject = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was read: what came after it is sent.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,40}$"},
}


def describe(subjects: Sequence[Subject]) -> JsonObject:
    """The document. Equal for equal declarations."""
    endpoints = [one for subject in subjects for one in subject.endpoints]
    schemas, definitions = models_json_schema(list(_models(endpoints)), ref_template=_REF)
    refs = {
        (model, mode): schema for (model, mode), schema in schemas.items() if issubclass(model, BaseModel)
    }
    paths: dict[str, JsonObject] = {}
    for subject in subjects:
        for one in subject.endpoints:
            paths.setdefault(one.path, {})[one.method.lower()] = _operation(subject, one, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Turnkeeper",
            "version": __version__,
            "description": _ABOUT.strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "tags": [{"name": one.name, "description": one.about} for one in subjects],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that an admin made, or admin.token of the configuration.",
                }
            },
            "headers": _HEADERS,
            "schemas": definitions.get("$defs", {}),
        },
    }


def _models(endpoints: Iterable[AnyEndpoint]) -> Iterable[tuple[type[BaseModel], JsonSchemaMode]]:
    found: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for one in endpoints:
        for model in (one.answers, one.streams):
            if model is not None:
                found[model, "serialization"] = None
        for model in (one.takes, one.query):
            if model is not None:
                found[model, "validation"] = None
    return found


def _operation(subject: Subject, endpoint: AnyEndpoint, refs: _Refs) -> JsonObject:
    operation: JsonObject = {
        "operationId": endpoint.name,
        "tags": [subject.name],
        "summary": endpoint.summary,
        "responses": {**_success(endpoint, refs), **_problems(endpoint, refs)},
    }
    about = [endpoint.description]
    if endpoint.needs is not None:
        operation["x-permission"] = str(endpoint.needs)
        about.append(f"Needs a role that may {endpoint.needs}.")
    operation["description"] = " ".join(filter(None, about)) or endpoint.summary
    parameters = [*_path(endpoint), *_query(endpoint), *_sent_headers(endpoint)]
    if parameters:
        operation["parameters"] = list(parameters)
    if endpoint.takes is not None:
        schema = refs[endpoint.takes, "validation"]
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": schema} for kind in media_types(endpoint)},
        }
    return operation


def _path(endpoint: AnyEndpoint) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _query(endpoint: AnyEndpoint) -> list[JsonObject]:
    if endpoint.query is None:
        return []
    schema = endpoint.query.model_json_schema(mode="validation")
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": one.get("description", name),
            "schema": _present({key: value for key, value in one.items() if key != "description"}),
        }
        for name, one in schema["properties"].items()
    ]


def _present(schema: JsonObject) -> JsonObject:
    """A parameter is left out, and never null."""
    match schema.get("anyOf"):
        case [dict(one), {"type": "null"}]:
            return one
        case _:
            return schema


def _sent_headers(endpoint: AnyEndpoint) -> list[JsonObject]:
    found = []
    if endpoint.guarded:
        found.append(_IF_MATCH)
    if endpoint.method == "POST":
        found.append(_IDEMPOTENCY_KEY)
    if endpoint.streams is not None and endpoint.answers is None:
        found.append(_LAST_EVENT)
    return found


def _success(endpoint: AnyEndpoint, refs: _Refs) -> JsonObject:
    content: JsonObject = {}
    if endpoint.answers is not None:
        content[JSON] = {"schema": refs[endpoint.answers, "serialization"]}
    if endpoint.streams is not None:
        # OpenAPI 3.1 cannot say what the data of an event is, so it says it in words.
        content[EVENT_STREAM] = {"schema": {"type": "string"}}
    headers = []
    if endpoint.versioned:
        headers.append("ETag")
    if endpoint.status == HTTPStatus.CREATED:
        headers.append("Location")
    if endpoint.method == "POST" and endpoint.remembered:
        headers.append(REPEATED)
    response: JsonObject = {"description": _said(endpoint)}
    if content:
        response["content"] = content
    if headers:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return {str(endpoint.status if content else 204): response}


def _said(endpoint: AnyEndpoint) -> str:
    if endpoint.streams is not None:
        return f"Server-sent events, the data of each a {endpoint.streams.__name__}."
    model = endpoint.answers
    return cleandoc(model.__doc__) if model is not None and model.__doc__ else "Done."


def statuses(endpoint: AnyEndpoint) -> frozenset[int]:
    """Of the problems that it answers with."""
    found = {400, 401, 429, 503, *endpoint.problems}
    if endpoint.needs is not None:
        found.add(403)
    if "{" in endpoint.path:
        found.add(404)
    if endpoint.query is not None or endpoint.method == "POST":
        found.add(422)
    if endpoint.method == "POST" and endpoint.remembered:
        found.add(409)
    if endpoint.takes is not None:
        found |= {408, 413, 415, 422}
    if endpoint.guarded:
        found |= {412, 428}
    return frozenset(found)


def _problems(endpoint: AnyEndpoint, refs: _Refs) -> JsonObject:
    return {str(status): _problem(status, refs) for status in sorted(statuses(endpoint))}


def _problem(status: int, refs: _Refs) -> JsonObject:
    content: JsonObject = {CONTENT_TYPE: {"schema": refs[Problem, "serialization"]}}
    response: JsonObject = {"description": HTTPStatus(status).phrase, "content": content}
    if status == HTTPStatus.BAD_REQUEST:
        response["description"] = "The body is not JSON; as plain text: not HTTP, or a line of it is too long"
        content["text/plain"] = {"schema": {"type": "string"}}
    header = _PROBLEM_HEADERS.get(status)
    if header is not None:
        response["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
    return response
