"""What pydantic found wrong, in an admin's words: field, fault, remedy.

Invariant: no text holds a value that was sent: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.admin.errors import FieldProblem, InvalidError
from gateway.config_file import named
from gateway.settings_errors import remedy

_LONGEST = 200

_TEXTS = {
    "missing": "is missing; add it",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "recursion_loop": "is nested too deeply",
}


def invalid_fields(error: ValidationError, model: type[BaseModel] | None = None) -> InvalidError:
    """``model`` is what it was validated as: its names are offered for one that it does not know."""
    details = error.errors(include_url=False, include_input=False)
    return InvalidError([_problem(one, model) for one in details])


def _problem(detail: ErrorDetails, model: type[BaseModel] | None) -> FieldProblem:
    path, kind = detail["loc"], detail["type"]
    context: Mapping[str, object] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        text = f"is not known; {remedy(str(path[-1])[:_LONGEST], _names(model, path[:-1]))}"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, str(context["discriminator"]).strip("'"))
        expected = context.get("expected_tags")
        text = f"must be one of {expected}" if expected else "is missing; add it"
    elif kind == "too_short":
        text = f"must have at least {context['min_length']} of them"
    elif kind == "too_long":
        text = f"must have at most {context['max_length']} of them"
    else:
        text = _TEXTS.get(kind) or re.sub(r"^(Input|String) should", "must", detail["msg"])
    return FieldProblem(named(path)[:_LONGEST], text)


def _names(model: type[BaseModel] | None, path: Iterable[str | int]) -> list[str]:
    """The fields of the model that stands at ``path``."""
    models = [] if model is None else [model]
    for step in path:
        fields = [
            one.model_fields[step] for one in models if isinstance(step, str) and step in one.model_fields
        ]
        tagged = [one for one in models if isinstance(step, str) and step in _tags(one)]
        if fields:
            models = [found for one in fields for found in _models(one.annotation)]
        elif tagged:
            models = tagged
    return sorted({name for one in models for name in one.model_fields})


def _tags(model: type[BaseModel]) -> set[object]:
    """By which a union is told apart: the values of its literal fields."""
    return {tag for one in model.model_fields.values() for tag in get_args(one.annotation)}


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, tuple):
        return [found for one in get_args(annotation) for found in _models(one)]
    return []
