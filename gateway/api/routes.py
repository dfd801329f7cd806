"""From declared endpoints to routes: what is the same for all of them is done here, once."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from gateway.admin.access import Principal
from gateway.admin.errors import NotAllowedError
from gateway.admin.tokens import Tokens
from gateway.api.auth import BEARER, CALLER
from gateway.api.conditions import etag
from gateway.api.endpoint import Answer, AnyEndpoint, Stream
from gateway.api.idempotency import Repetitions, Reply
from gateway.api.request import idempotency_key, read_ask
from gateway.api.streams import Streams

PREFIX = "/api/v1"

REPEATED = "Idempotency-Replayed"
"""The header of an answer that was given before."""


class Routes:
    """Serves endpoints. ``tokens`` says whether a stream may go on."""

    def __init__(self, tokens: Tokens, repetitions: Repetitions, streams: Streams) -> None:
        self._tokens = tokens
        self._repetitions = repetitions
        self._streams = streams

    def of(self, endpoints: Iterable[AnyEndpoint]) -> list[web.RouteDef]:
        return [self._route(one) for one in endpoints]

    def _route(self, endpoint: AnyEndpoint) -> web.RouteDef:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(endpoint, request)

        if endpoint.method == "GET":
            return web.get(endpoint.path, handle, allow_head=endpoint.streams is None)
        return web.route(endpoint.method, endpoint.path, handle)

    async def _handle(self, endpoint: AnyEndpoint, request: web.Request) -> web.StreamResponse:
        _check_role(endpoint, request[CALLER])
        key = idempotency_key(request) if endpoint.method == "POST" else None
        ask, raw = await read_ask(endpoint, request, key)

        async def reply() -> Reply:
            answer = await endpoint.does(ask)
            assert isinstance(answer, Answer), "only an answer can be repeated"
            return _reply(endpoint, answer)

        if key is not None and endpoint.remembered and not (endpoint.streams and ask.streamed):
            asked = b"\n".join((request.method.encode(), request.raw_path.encode(), raw))
            given, repeated = await self._repetitions.once(request[BEARER], key, asked, reply)
            return _response(given, {REPEATED: "true"} if repeated else {})
        answer = await endpoint.does(ask)
        if isinstance(answer, Stream):
            return await self._stream(request, answer)
        return _response(_reply(endpoint, answer), {})

    async def _stream(self, request: web.Request, stream: Stream) -> web.StreamResponse:
        who, bearer = request[CALLER], request[BEARER]

        async def allowed() -> bool:
            return await self._tokens.authenticate(bearer) == who

        return await self._streams.send(request, stream.events, allowed)


def _check_role(endpoint: AnyEndpoint, who: Principal) -> None:
    """Before anything of the request is looked at. Which bots the role is for is checked by the service."""
    if endpoint.needs is not None and endpoint.needs not in who.permissions:
        raise NotAllowedError(
            f"{who.name} is {who.role} and may not {endpoint.needs} here; use a token whose role includes it"
            + ("" if who.bots is None else ", for all bots")
        )


def _reply(endpoint: AnyEndpoint, answer: Answer) -> Reply:
    headers = []
    if answer.version is not None:
        headers.append(("ETag", etag(answer.version)))
    if answer.location is not None:
        headers.append(("Location", f"{PREFIX}{answer.location}"))
    if answer.body is None:
        return Reply(204, b"", tuple(headers))
    return Reply(endpoint.status, answer.body.model_dump_json().encode(), tuple(headers))


def _response(reply: Reply, more: dict[str, str]) -> web.Response:
    response = web.Response(
        status=reply.status, body=reply.body or None, headers=[*reply.headers, *more.items()]
    )
    if reply.body:
        response.content_type = "application/json"
    return response
