"""The yardstick of streaming, as a process: reads many answers at once and joins their texts, and no more.

Waits for a line on its standard input, then reads; prints the number of complete texts, and lives on until its
input ends, so that it can be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import aiohttp
import orjson
import uvloop

from tests.benchmarks.answer import answer_tokens

REQUEST = {"model": "bare", "messages": [{"role": "user", "content": "hello"}], "stream": True}


async def read(session: aiohttp.ClientSession, url: str, after: float) -> str:
    await asyncio.sleep(after)
    pieces: list[str] = []
    rest = b""
    async with session.post(f"{url}/v1/chat/completions", data=orjson.dumps(REQUEST)) as response:
        while piece := await response.content.readany():
            *events, rest = (rest + piece).split(b"\n\n")
            for event in events:
                data = event[6:]
                if data == b"[DONE]":
                    break
                content = orjson.loads(data)["choices"][0]["delta"].get("content")
                if content:
                    pieces.append(content)
    return "".join(pieces)


async def main(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        step = arguments.spread / arguments.streams
        texts = await asyncio.gather(
            *(read(session, arguments.model, number * step) for number in range(arguments.streams))
        )
    expected = "".join(answer_tokens(arguments.tokens))
    print(texts.count(expected), flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--spread", type=float, required=True)
    uvloop.run(main(parser.parse_args()))
