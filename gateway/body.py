"""A request's body, whole, in bounded time and size."""

from __future__ import annotations

import asyncio

from aiohttp import web

LARGEST_BODY = 1 << 20
"""Bytes; a larger request is answered 413."""

BODY_TIMEOUT = 10.0
"""Seconds in which a request's body has to arrive; platforms themselves wait 3 s for our answer."""


async def read_body(request: web.Request) -> bytes:
    """The application's ``client_max_size`` bounds it. Raises the HTTP error that answers the request."""
    try:
        if request.content.is_eof():  # it came with the headers, as a platform's does: no timer is needed
            return await request.read()
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise web.HTTPBadRequest(text="the body is not what its headers say") from None
