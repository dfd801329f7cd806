"""A model stand-in that costs little, as a process: Chat Completions with one fixed answer.

``--interval`` 0 sends the answer in one piece; ``--hold`` never answers. Else each stream gets one event every
``interval`` seconds; the streams' phases are spread evenly over it, as those of independent streams are.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

import orjson
import uvloop

from tests.benchmarks.answer import answer_tokens

PHASES = 20
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)


class _Stream:
    __slots__ = ("sent", "started_at", "transport")

    def __init__(self, transport: asyncio.Transport, now: float) -> None:
        self.transport = transport
        self.started_at = now
        self.sent = 0


class Model:
    """``events``: the chunks of one answer as they go over the wire, the end of the body with the last."""

    def __init__(self, tokens: int, interval: float, *, hold: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.events = _events(tokens)
        self.interval = interval
        self.hold = hold
        self.started = 0
        self.durations: list[float] = []
        self._phases: list[set[_Stream]] = [set() for _ in range(PHASES)]
        self._tick_at = self.loop.time()
        self._tick_number = 0
        if interval:
            self._tick()

    def answer(self, transport: asyncio.Transport) -> None:
        self.started += 1
        if self.hold:
            return
        if not self.interval:
            transport.write(_HEAD + b"".join(self.events))
            return
        transport.write(_HEAD + self.events[0])
        stream = _Stream(transport, self.loop.time())
        stream.sent = 1
        self._phases[self.started % PHASES].add(stream)

    def report(self) -> bytes:
        """How long the streams really took says whether this process was the bottleneck."""
        return orjson.dumps({"started": self.started, "durations": self.durations})

    def _tick(self) -> None:
        now = self.loop.time()
        while self._tick_at <= now:
            self._advance(self._phases[self._tick_number % PHASES], now)
            self._tick_number += 1
            self._tick_at += self.interval / PHASES
        self.loop.call_at(self._tick_at, self._tick)

    def _advance(self, streams: set[_Stream], now: float) -> None:
        for stream in tuple(streams):
            stream.transport.write(self.events[stream.sent])
            stream.sent += 1
            if stream.sent == len(self.events):
                streams.remove(stream)
                self.durations.append(now - stream.started_at)


class _Connection(asyncio.Protocol):
    def __init__(self, model: Model) -> None:
        self._model = model
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
        length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
        if len(body) < length:
            return
        self._buffer = b""
        assert self._transport is not None
        if head.startswith(b"GET /report"):
            report = self._model.report()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(report), report))
        else:
            self._model.answer(self._transport)


def _events(tokens: int) -> list[bytes]:
    role = _event({"role": "assistant", "content": "", "refusal": None}, None)
    texts = [_event({"content": token}, None) for token in answer_tokens(tokens)]
    end = _event({}, "stop") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return [role + texts[0], *texts[1:-1], texts[-1] + end]


def _event(delta: dict[str, object], finish_reason: str | None) -> bytes:
    chunk = {
        "id": "chatcmpl-BxMC7vG4Ptw5lq7hJQ0vT0dZoR2bc",
        "object": "chat.completion.chunk",
        "created": 1751000000,
        "model": "gpt-5-mini-2025-08-07",
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        "usage": None,
    }
    return _chunk(b"data: %b\n\n" % orjson.dumps(chunk))


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _main(arguments: argparse.Namespace) -> None:
    model = Model(arguments.tokens, arguments.interval, hold=arguments.hold)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(model), "127.0.0.1", 0, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=20)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--hold", action="store_true")
    uvloop.run(_main(parser.parse_args()))
