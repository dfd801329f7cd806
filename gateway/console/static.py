"""Styles and scripts: read once, served with a tag by which browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web
from aiohttp.helpers import ETag

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Content, kind and tag by name."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        content = path.read_bytes()
        found[path.name] = (content, _KINDS[path.suffix], hashlib.sha256(content).hexdigest()[:16])
    return found


async def serve_file(request: web.Request) -> web.Response:
    known = _files().get(request.match_info["name"])
    if known is None:
        raise web.HTTPNotFound
    content, kind, tag = known
    asked = request.if_none_match
    unchanged = asked is not None and any(one.value == tag for one in asked)
    response = web.Response(status=304) if unchanged else web.Response(body=content, content_type=kind)
    if not unchanged:
        response.charset = "utf-8"
    response.etag = ETag(tag)
    response.headers["Cache-Control"] = "no-cache"
    return response
