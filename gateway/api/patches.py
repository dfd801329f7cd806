"""The merge patch (RFC 7396) of a model, as ``openapi.json`` describes it: a field may be left out, or be null."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, create_model


def patch_of(model: type[BaseModel], *fixed: str) -> type[BaseModel]:
    """``fixed`` are fields that cannot be changed."""
    fields: dict[str, Any] = {  # Any: pydantic's own signature
        name: (_patched(field.annotation, field.metadata) | None, None)
        for name, field in model.model_fields.items()
        if name not in fixed
    }
    return create_model(
        f"{model.__name__}Patch", __config__=model.model_config, __doc__=model.__doc__, **fields
    )


def _patched(annotation: Any, metadata: list[Any]) -> Any:  # Any: a type as it was written
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return patch_of(annotation)
    return Annotated[(annotation, *metadata)] if metadata else annotation
