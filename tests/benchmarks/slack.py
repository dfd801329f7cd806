"""A Slack stand-in that answers at once and without limits, as a process, for any number of workspaces."""

from __future__ import annotations

import itertools
from collections import Counter

import orjson
import uvloop
from aiohttp import web

from tests.benchmarks.answer import END
from tests.benchmarks.serving import serve


class Slack:
    """Keeps the newest text of every message."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], str] = {}
        self._calls: Counter[str] = Counter()
        self._ts = itertools.count(1_751_000_000_000_001)

    async def call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self._calls[method] += 1
        if method == "auth.test":
            who = {"user_id": "U0BOT", "bot_id": "B0BOT", "user": "bot", "team": "Bench", "team_id": "T0"}
            return _json({"ok": True, **who})
        if not method.startswith("chat."):  # marks and statuses
            return _json({"ok": True})
        asked = orjson.loads(await request.read())
        ts = asked.get("ts") or f"{next(self._ts) / 1e6:.6f}"
        self._messages[asked["channel"], ts] = asked.get("markdown_text") or asked["text"]
        return _json({"ok": True, "channel": asked["channel"], "ts": ts})

    async def report(self, _: web.Request) -> web.Response:
        texts = Counter(self._messages.values())
        complete = sum(count for text, count in texts.items() if text.endswith(END))
        return _json(
            {
                "messages": len(self._messages),
                "chats": len({channel for channel, _ in self._messages}),
                "complete": complete,
                "texts": list(texts),
                "calls": self._calls,
            }
        )


def _json(answer: dict[str, object]) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


if __name__ == "__main__":
    slack = Slack()
    app = web.Application()
    app.add_routes([web.post("/api/{method}", slack.call), web.get("/report", slack.report)])
    uvloop.run(serve(app))
