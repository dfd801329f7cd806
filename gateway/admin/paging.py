"""Long lists, in pages. A cursor says where a page ended; only the list that made it can read it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict

from gateway.admin.errors import FieldProblem, InvalidError

LARGEST_PAGE = 200
USUAL_PAGE = 50

T = TypeVar("T")

Place = tuple[str | float, ...]


class Page(BaseModel, Generic[T]):
    """``next`` is the cursor of the page behind this one; None on the last."""

    model_config = ConfigDict(frozen=True)

    items: tuple[T, ...]
    next: str | None = None


def paged(
    of: str, items: Sequence[T], place: Callable[[T], Place], cursor: str | None, limit: int
) -> Page[T]:
    """Of a list that is there as a whole, by its items' ``place``. Raises InvalidError."""
    begun = () if cursor is None else read_cursor(of, cursor)
    try:
        rest = sorted((one for one in items if place(one) > begun), key=place)
    except TypeError:  # the places of another list
        raise wrong_cursor() from None
    more = len(rest) > limit
    return Page(items=tuple(rest[:limit]), next=write_cursor(of, *place(rest[limit - 1])) if more else None)


def write_cursor(of: str, *place: str | float) -> str:
    """``of`` names the list, ``place`` its last item by whatever the list is ordered by."""
    return base64.urlsafe_b64encode(orjson.dumps([of, *place])).rstrip(b"=").decode()


def read_cursor(of: str, cursor: str) -> Place:
    """The place, of which the caller checks the shape. Raises InvalidError."""
    try:
        match orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))):
            case [str(name), *place] if name == of and all(_is_place(one) for one in place):
                return tuple(place)
    except (binascii.Error, ValueError):
        pass
    raise wrong_cursor()


def wrong_cursor() -> InvalidError:
    return InvalidError(
        [FieldProblem("cursor", "is not one of this list; leave it out to begin, then send what next says")]
    )


def _is_place(written: object) -> bool:
    return isinstance(written, (str, int, float)) and not isinstance(written, bool)
