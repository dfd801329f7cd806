"""Documents as ``openapi.json`` describes them: what makes one, and the merge patch (RFC 7396) that changes it.

In both a field that may be left out may be null too.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, create_model


def document_of(model: type[BaseModel]) -> type[BaseModel]:
    """What makes one."""
    return _described(model, "Document", (), patch=False)


def patch_of(model: type[BaseModel], *fixed: str) -> type[BaseModel]:
    """What changes one: nothing has to be there. ``fixed`` are fields that cannot be changed."""
    return _described(model, "Patch", fixed, patch=True)


def _described(model: type[BaseModel], kind: str, fixed: tuple[str, ...], *, patch: bool) -> type[BaseModel]:
    fields: dict[str, Any] = {}  # Any: pydantic's own signature
    for name, field in model.model_fields.items():
        if name in fixed:
            continue
        inner = _inner(field.annotation, field.metadata, kind, patch=patch)
        needed = field.is_required() and not patch
        fields[name] = (inner, ...) if needed else (inner | None, None)
    return create_model(
        f"{model.__name__}{kind}", __config__=model.model_config, __doc__=model.__doc__, **fields
    )


def _inner(
    annotation: Any, metadata: list[Any], kind: str, *, patch: bool
) -> Any:  # Any: a type as it was written
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _described(annotation, kind, (), patch=patch)
    return Annotated[(annotation, *metadata)] if metadata else annotation
