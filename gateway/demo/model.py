"""A stand-in for a language model behind OpenAI's Chat Completions API.

``python -m gateway.demo.model --port 9000`` serves one by itself.

Tokens come on a schedule: when the loop is late, those due are written at once, each as its own event.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import web
from pydantic import ValidationError
from typing_extensions import override

from gateway.demo.answers import default_answer, tokens
from gateway.demo.model_wire import MODEL, Frame, Message, Request, completion, error_answer
from gateway.demo.standin import Clock, StandIn, gone

__all__ = ["Message", "ModelCall", "ModelStandin", "Reply"]

MARKER = re.compile(r"#[\w-]+")

Fault = Literal[
    "hang_before_first", "hang_mid", "cut", "reset", "status:429", "status:500", "empty", "malformed"
]
"""``cut``: the answer ends cleanly in the middle, without finish_reason. ``reset``: the connection breaks."""


CUT_SHORT = frozenset({"hang_mid", "cut", "reset", "malformed"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model does with one request. None: as the stand-in is set; ``retry_after`` goes with a 429."""

    text: str
    first_token_after: float | None = None
    tokens_per_second: float | None = None
    fault: Fault | None = None
    retry_after: int | None = None
    steps: Sequence[str] = ()
    """What it looks up first, as an agent with tools of its own; each takes ``step_seconds``."""
    step_seconds: float = 0.3


@dataclass(slots=True)
class ModelCall:
    """One request, with what became of it. Times in seconds since 1970, 0 if it did not come so far."""

    messages: list[Message]
    marker: str
    answer: str
    started_at: float
    first_token_at: float = 0.0
    last_token_at: float = 0.0
    ended_at: float = 0.0
    aborted: bool = False

    @property
    def question(self) -> str:
        return self.messages[-1].content


Script = Callable[[list[Message]], Reply]


def marker_of(messages: Sequence[Message]) -> str:
    """What tells a conversation from others: a ``#name`` in its last message, else its first user message."""
    found = MARKER.search(messages[-1].content)
    if found is not None:
        return found.group()
    return next(message.content for message in messages if message.role == "user")


class ModelStandin(StandIn):
    """``words`` is the length of the default script's answers. ``calls_made`` records every request.

    Tokens are counted for who asks; with ``counts_unasked`` for everybody, as some compatible servers do.
    """

    def __init__(
        self,
        *,
        api_key: str,
        tokens_per_second: float = 50.0,
        first_token_after: float = 0.2,
        words: int = 60,
        script: Script | None = None,
        marker: Callable[[Sequence[Message]], str] = marker_of,
        clock: Clock = time.time,
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, port=port, latency=0.0)
        self._api_key = api_key
        self._tokens_per_second = tokens_per_second
        self._first_token_after = first_token_after
        self._words = words
        self.script: Script = script or self._default_script
        self._marker = marker
        self._ids = itertools.count(1)
        self._running: Counter[str] = Counter()
        self.counts_unasked = False
        self.calls_made: list[ModelCall] = []
        self.max_concurrency: Counter[str] = Counter()
        self.peak = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def expected_answer(self, text: str) -> str:
        """The full text that the script gives for a user message."""
        return self.script([Message(role="user", content=text)]).text

    async def idle(self) -> None:
        """Return when no request is being answered."""
        await self._idle.wait()

    @override
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._complete)]

    def _default_script(self, messages: list[Message]) -> Reply:
        return Reply(default_answer(messages[-1].content, self._words))

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if not self._authorised(request):
            return error_answer(401, "Incorrect API key provided.", "invalid_api_key")
        model = {"id": MODEL, "object": "model", "created": 1, "owned_by": "turnkeeper"}
        return web.json_response({"object": "list", "data": [model]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if not self._authorised(request):
            return error_answer(401, "Incorrect API key provided.", "invalid_api_key")
        try:
            body = Request.model_validate_json(await request.read())
        except ValidationError as error:
            return self._malformed(str(error.errors()[0]["loc"]))
        if not body.messages or body.messages[-1].role != "user" or not body.messages[-1].content.strip():
            return self._malformed("messages must end with what the user says")
        if body.stream_options is not None and not body.stream:
            return self._malformed("stream_options is only allowed when stream is enabled")
        reply = self.script(body.messages)
        call = ModelCall(body.messages, self._marker(body.messages), reply.text, self.clock())
        self.calls_made.append(call)
        with self._counted(call):
            return await self.perform_reply(request, body, reply, call)

    async def perform_reply(
        self, request: web.Request, body: Request, reply: Reply, call: ModelCall
    ) -> web.StreamResponse:
        """Answer as the script says."""
        if reply.fault == "status:429":
            headers = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
            return error_answer(429, "Rate limit reached.", "rate_limit_exceeded", headers)
        if reply.fault == "status:500":
            return error_answer(500, "The server had an error.", "server_error")
        rate = reply.tokens_per_second or self._tokens_per_second
        wait = self._first_token_after if reply.first_token_after is None else reply.first_token_after
        pieces = [] if reply.fault == "empty" else tokens(reply.text)
        if body.stream:
            return await self._stream(request, body, reply, call, pieces, rate, wait)
        if reply.fault == "hang_before_first":
            return await self._hang_up(request, call)
        await asyncio.sleep(wait + len(pieces) / rate)
        call.first_token_at = call.last_token_at = self.clock()
        return web.json_response(completion(body, next(self._ids), int(self.clock()), pieces))

    async def _stream(
        self,
        request: web.Request,
        body: Request,
        reply: Reply,
        call: ModelCall,
        pieces: list[str],
        rate: float,
        wait: float,
    ) -> web.StreamResponse:
        frame = Frame(body, next(self._ids), int(self.clock()), counts_unasked=self.counts_unasked)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        response.headers["Cache-Control"] = "no-cache"
        if reply.fault == "hang_before_first":
            return await self._hang_up(request, call)
        try:
            await response.prepare(request)
            await asyncio.sleep(wait)
            await response.write(frame.role())
            for number, label in enumerate(reply.steps):
                await response.write(frame.tool(number, label, "running"))
                await asyncio.sleep(reply.step_seconds)
                await response.write(frame.tool(number, label, "completed"))
            stop_at = len(pieces) // 2 if reply.fault in CUT_SHORT else len(pieces)
            await self._write_paced(request, response, call, pieces[:stop_at], rate, frame)
            if reply.fault == "hang_mid":
                return await self._hang_up(request, call)
            if reply.fault == "malformed":
                await response.write(b'data: {"choices": [{"delta": {"content": \n\n')
                return response
            if reply.fault == "reset":
                self.drop(request)
                return response
            if reply.fault == "cut":
                return response
            await response.write(frame.end(pieces))
            await response.write_eof()
        except ConnectionError:
            call.aborted = True
        return response

    async def _write_paced(
        self,
        request: web.Request,
        response: web.StreamResponse,
        call: ModelCall,
        pieces: list[str],
        rate: float,
        frame: Frame,
    ) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        sent = 0
        while sent < len(pieces):
            if gone(request):
                raise ConnectionResetError
            due = min(len(pieces), int((loop.time() - started) * rate) + 1)
            if due > sent:
                await response.write(b"".join(frame.content(piece) for piece in pieces[sent:due]))
                call.last_token_at = self.clock()
                call.first_token_at = call.first_token_at or call.last_token_at
                sent = due
            if sent < len(pieces):
                await asyncio.sleep(max(0.0, started + sent / rate - loop.time()))

    async def _hang_up(self, request: web.Request, call: ModelCall) -> web.Response:
        silence = await self.hang(request)
        call.aborted = True
        return silence

    def _malformed(self, why: str) -> web.Response:
        self.complain(f"POST /v1/chat/completions: {why}")
        return error_answer(400, f"Invalid request: {why}", "invalid_request_error")

    def _authorised(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._api_key}"

    @contextmanager
    def _counted(self, call: ModelCall) -> Iterator[None]:
        self._idle.clear()
        self._running[call.marker] += 1
        self.max_concurrency[call.marker] = max(self.max_concurrency[call.marker], self._running[call.marker])
        self.peak = max(self.peak, self._running.total())
        try:
            yield
        finally:
            self._running[call.marker] -= 1
            call.ended_at = self.clock()
            if not self._running.total():
                self._idle.set()


async def _serve(arguments: argparse.Namespace) -> None:
    model = ModelStandin(
        api_key=arguments.api_key,
        tokens_per_second=arguments.tokens_per_second,
        first_token_after=arguments.first_token_after,
        words=arguments.words,
        port=arguments.port,
    )
    async with model:
        print(model.base_url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve one model until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m gateway.demo.model", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default="sk-demo")
    parser.add_argument("--tokens-per-second", type=float, default=50.0)
    parser.add_argument("--first-token-after", type=float, default=0.2)
    parser.add_argument("--words", type=int, default=60)
    arguments = parser.parse_args()
    try:
        import uvloop  # noqa: PLC0415 -- the stand-in serves without it too
    except ImportError:
        asyncio.run(_serve(arguments))
    else:
        uvloop.run(_serve(arguments))


if __name__ == "__main__":
    main()
