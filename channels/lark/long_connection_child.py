"""The process that holds Lark's long connection, through lark-oapi, for the gateway that started it.

It is run by its path and imports nothing of the gateway: lark-oapi alone takes seconds and 150 MiB, and takes the
event loop for itself. What it says to its parent are lines of JSON on its standard output; what it is told comes on
its standard input, and when that ends, because the parent did, so does it.

Invariants: an event is answered to the platform with what the parent answered, and not before; one that the parent
refused or did not answer in time is answered with an error, so that the platform sends it again; told to drain, it
takes nothing new and answers what it took. Nothing is written to a log: lark-oapi's has addresses with tickets in it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

ANSWER_WITHIN = 2.8
"""Seconds. The platform waits for three (docs: "使用长连接接收事件")."""

MOST_AT_ONCE = 100
"""Events that wait for the parent; one more is left unanswered, and comes again."""

FAILED = 3
"""Exit code: the platform will not have this app; the line before says why."""

_OK = range(200, 300)

Said = Mapping[str, Any]  # Any: JSON, of our own parent


class Parent:
    """The pipe to the gateway."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._waiting: dict[int, asyncio.Future[Said]] = {}
        self._last = self._taking = 0
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()

    def tell(self, said: Said) -> None:
        self._out.write(json.dumps(said).encode() + b"\n")

    async def ask(self, payload: bytes) -> Said | None:
        """How the gateway answers this event; None if not in time."""
        self._last += 1
        number = self._last
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._taking += 1
        self.idle.clear()
        try:
            self.tell({"id": number, "payload": base64.b64encode(payload).decode()})
            return await asyncio.wait_for(answer, ANSWER_WITHIN)
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def done(self) -> None:
        """What ``ask`` said is with the platform, or never will be."""
        self._taking -= 1
        if not self._taking:
            self.idle.set()

    @property
    def takes(self) -> bool:
        return not self.draining and self._taking < MOST_AT_ONCE

    def answered(self, said: Said) -> None:
        answer = self._waiting.get(said["id"])
        if answer is not None and not answer.done():
            answer.set_result(said)


def listen(
    source: BinaryIO, loop: asyncio.AbstractEventLoop, parent: Parent, drain: Callable[[], None]
) -> None:
    """Runs in a thread of its own: the loop may stand still in lark-oapi, and the parent's end must be noticed."""
    for line in source:
        said = json.loads(line)
        if "ping" in said:
            loop.call_soon_threadsafe(parent.tell, {"pong": said["ping"]})
        elif "drain" in said:
            loop.call_soon_threadsafe(drain)
        else:
            loop.call_soon_threadsafe(parent.answered, said)
    os._exit(0)


def make_client(parent: Parent, config: Said) -> Any:  # Any: lark-oapi has no types
    """lark-oapi's client, but for its handlers, which would answer before anything is durable."""
    from lark_oapi.core.enum import LogLevel  # noqa: PLC0415 - takes seconds
    from lark_oapi.ws import client as lark  # noqa: PLC0415

    class Client(lark.Client):  # type: ignore[misc]  # without types
        async def _connect(self) -> None:
            await super()._connect()
            parent.tell({"state": "connected"})

        async def _handle_data_frame(self, frame: Any) -> None:
            found = {header.key: header.value for header in frame.headers}
            if found.get("type") != "event" or not parent.takes:
                return
            payload: bytes | None = frame.payload
            parts = int(found.get("sum", "1"))
            if parts > 1:
                payload = self._combine(found["message_id"], parts, int(found["seq"]), frame.payload)
            if payload is None:
                return
            try:
                frame.payload = _answer(await parent.ask(payload))
                await self._write_message(frame.SerializeToString())
            finally:
                parent.done()

    client = Client(
        config["app_id"], config["app_secret"], log_level=LogLevel.CRITICAL, domain=config["domain"]
    )
    client.on_reconnecting = lambda: parent.tell({"state": "lost"})
    return client


def _answer(said: Said | None) -> bytes:
    """As lark-oapi writes its ``Response``."""
    answer: dict[str, Any] = {"code": 500}
    if said is not None and said["status"] in _OK:
        answer = {"code": 200} | ({"data": said["body"]} if said["body"] else {})
    return json.dumps(answer).encode()


def main() -> None:
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # lark-oapi's log writes to standard output
    source = sys.stdin.buffer
    config = json.loads(source.readline())
    parent = Parent(out)
    client = make_client(parent, config)
    from lark_oapi.ws.client import loop  # noqa: PLC0415 - the one that it took for itself
    from lark_oapi.ws.exception import ClientException  # noqa: PLC0415

    async def leave() -> None:
        await parent.idle.wait()
        client._auto_reconnect = False  # noqa: SLF001 - it has no other way to end
        await client._disconnect()  # noqa: SLF001
        os._exit(0)

    def drain() -> None:
        parent.draining = True
        leaving.append(loop.create_task(leave()))

    leaving: list[asyncio.Task[None]] = []
    threading.Thread(target=listen, args=(source, loop, parent, drain), daemon=True).start()
    try:
        client.start()
    except ClientException as refused:
        parent.tell({"failed": f"code {refused.code}"})
        os._exit(FAILED)


if __name__ == "__main__":
    main()
