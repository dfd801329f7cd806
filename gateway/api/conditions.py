"""ETag and If-Match: a change is made to what its author has seen, or not at all."""

from __future__ import annotations

import re

from aiohttp import web

from gateway.admin.errors import StaleError
from gateway.api.problems import ProblemError

_TAG = re.compile(r'"(0|[1-9][0-9]{0,17})"|\*')


def etag(version: int) -> str:
    return f'"{version}"'


def expected_version(request: web.Request) -> int | None:
    """What If-Match says; None for ``*``. Raises ProblemError (428, 400), and StaleError for what matches nothing."""
    given = ",".join(request.headers.getall("If-Match", ())).strip()
    if not given:
        raise ProblemError(
            428,
            'If-Match is missing; send the ETag that you were given, such as If-Match: "3", or * for any version',
        )
    match = _TAG.fullmatch(given)
    if match:
        return int(match[1]) if match[1] else None
    if given.startswith('W/"') or re.fullmatch(r'"[^"]*"', given):
        raise StaleError("If-Match names no version of this; get it again and send the ETag that it has now")
    raise ProblemError(400, 'If-Match must be one ETag in quotes, such as "3", or *')
