"""A stand-in for one Slack workspace: the Web API methods that a bot uses, and people who talk to it.

It keeps the rules of ``slack_rules`` and the rate limits, and delivers events as Slack does (``slack_events``).
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, TypeVar

import orjson
from aiohttp import web
from typing_extensions import override

from gateway.demo.faults import Fault
from gateway.demo.people import Letter, Postman, Said
from gateway.demo.ratelimit import Bucket, Quota
from gateway.demo.slack_events import Workspace, bot_event, mention_event, message_event, sealed
from gateway.demo.slack_rules import (
    POST_TEXT_CHARS,
    TIERS,
    UPDATE_TEXT_CHARS,
    Arguments,
    Json,
    Message,
    NoArguments,
    Page,
    PostMessage,
    Reaction,
    SessionStatus,
    SlackError,
    StartStream,
    Stream,
    ThreadStatus,
    Update,
    WriteStream,
    parsed,
)
from gateway.demo.standin import LATENCY, Clock, Shown, StandIn

WRITES = frozenset({"chat.appendStream", "chat.stopStream", "chat.update", "chat.delete"})
RETRY_DELAYS = (0.0, 60.0, 300.0)


@dataclass(slots=True)
class Room:
    """A channel or direct message; ``messages`` by ts, in order of ts."""

    kind: Literal["channel", "im"]
    messages: dict[str, Shown] = field(default_factory=dict)
    last_ts: int = 0


class SlackStandin(StandIn):
    """``echo``: the bot's own posts and edits come back to it as events, as they do in Slack."""

    def __init__(
        self,
        *,
        signing_secret: str,
        bot_token: str,
        clock: Clock = time.time,
        team: str = "T0DEMO",
        bot_user: str = "U0BOT",
        bot_id: str = "B0BOT",
        app_id: str = "A0DEMO",
        redeliver: bool = True,
        redeliver_within: tuple[float, float] = (0.05, 1.5),
        retry_delays: Sequence[float] = RETRY_DELAYS,
        echo: bool = False,
        seed: int = 1,
        port: int = 0,
        latency: float = LATENCY,
    ) -> None:
        super().__init__(clock=clock, port=port, latency=latency)
        self._workspace = Workspace(team, app_id, bot_user, bot_id, signing_secret, clock)
        self._bot_token = bot_token
        self._echo = echo
        self._webhook_url = ""
        self._chance = random.Random(seed)
        self._postman = Postman(
            retry_delays=retry_delays,
            redeliver=redeliver,
            redeliver_within=redeliver_within,
            complain=self.complain,
            chance=self._chance,
        )
        self._rooms: dict[str, Room] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._quotas: dict[str, Quota] = defaultdict(lambda: Quota(Bucket(5, 1)))
        for method, a_minute in TIERS.items():
            self._quotas[method] = Quota(Bucket(a_minute, a_minute / 60))
        self.statuses: dict[tuple[str, str], list[str]] = defaultdict(list)

    @property
    def api_base_url(self) -> str:
        return f"{self.url}/api/"

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._postman.close()
        await super().__aexit__(kind, error, trace)

    # What a person does and sees.

    def add_channel(self, channel: str, kind: Literal["channel", "im"] = "channel") -> None:
        self._rooms[channel] = Room(kind)

    def thread(self, channel: str, thread_ts: str | None) -> list[Shown]:
        """A thread with its first message; without ``thread_ts``, the channel's top level."""
        self._expire_streams()
        return [
            shown
            for shown in self._rooms[channel].messages.values()
            if shown.thread == thread_ts or (thread_ts is not None and shown.ts == thread_ts)
        ]

    def open_streams(self) -> list[Shown]:
        self._expire_streams()
        return [
            self._rooms[channel].messages[ts]
            for (channel, ts), stream in self._streams.items()
            if stream.open and ts in self._rooms[channel].messages
        ]

    async def say(
        self,
        webhook_url: str,
        *,
        channel: str,
        user: str,
        text: str,
        thread_ts: str | None = None,
        mention: bool = True,
        user_team: str | None = None,
    ) -> Said:
        """Let a person write a message; returns when the first deliveries have been answered.

        A mention in a channel is delivered twice, as app_mention and as message, in either order. ``user_team``:
        the person's own workspace, if it is another.
        """
        self._webhook_url = webhook_url
        room = self._rooms[channel]
        mentioned = mention and room.kind == "channel"
        written = f"<@{self._workspace.bot_user}> {text}" if mentioned else text
        shown = self._add(channel, "person", user, thread_ts)
        self.show(shown, text)
        thread = thread_ts or (shown.ts if room.kind == "channel" else None)
        said = Said(shown.ts, channel, thread, user, text, shown.at)
        team = user_team or self._workspace.team
        events = [message_event(shown, room.kind, written, team)]
        if mentioned:
            events.append(mention_event(shown, written, team))
        self._chance.shuffle(events)
        await self._postman.deliver_all([self._letter(event) for event in events], said)
        return said

    async def settle(self) -> None:
        """Wait until every retry and duplicate has been delivered."""
        await self._postman.settle()

    # HTTP.

    @override
    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/{method}", self._serve), web.get("/api/{method}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        raw = await _raw_arguments(request)
        known = _METHODS.get(method)
        if known is None:
            return self._refused(method, raw, SlackError("unknown_method"))
        if self._token(request, raw) != self._bot_token:
            return self._refused(method, raw, SlackError("invalid_auth", fault=False))

        def effect() -> web.StreamResponse:
            too_many = self._over_limit(method, raw)
            if too_many is not None:
                return too_many
            try:
                return _ok(known(self, raw))
            except SlackError as error:
                return self._refused(method, raw, error)

        if method in WRITES:
            with self.one_at_a_time(method, request, str(raw.get("channel")), str(raw.get("ts"))):
                return await self.perform(method, request, effect)
        return await self.perform(method, request, effect)

    @override
    def answer_fault(self, fault: Fault) -> web.Response:
        if fault.error is not None:
            return web.json_response({"ok": False, "error": str(fault.error)})
        return super().answer_fault(fault)

    def _token(self, request: web.Request, raw: Json) -> object:
        header = request.headers.get("Authorization", "")
        return header.removeprefix("Bearer ") if header else raw.get("token")

    def _over_limit(self, method: str, raw: Json) -> web.Response | None:
        name = f"{method} {raw.get('channel')}" if method == "chat.postMessage" else method
        if method not in TIERS and method != "chat.postMessage":
            return None
        refusal = self._quotas[name].ask(self.clock())
        if refusal is None:
            return None
        if refusal.storm:
            self.complain(f"{name} was called again and again while it was rate limited")
        elif refusal.early:
            self.complain(f"{name} was called {refusal.retry_after} s before its Retry-After was over")
        self.refusals.append(f"{name}: 429")
        return web.json_response(
            {"ok": False, "error": "ratelimited"},
            status=429,
            headers={"Retry-After": str(refusal.retry_after)},
        )

    def _refused(self, method: str, raw: Json, error: SlackError) -> web.Response:
        target = raw.get("ts", raw.get("thread_ts", ""))
        sentence = f"{method} on {raw.get('channel', '?')}/{target}: {error.code}"
        self.refusals.append(sentence)
        if error.fault:
            self.complain(sentence)
        return web.json_response({"ok": False, "error": error.code})

    # The methods.

    def auth_test(self, _: NoArguments) -> Json:
        workspace = self._workspace
        return {
            "url": "https://demo.slack.com/",
            "team": "Demo",
            "user": "turnkeeper",
            "team_id": workspace.team,
            "user_id": workspace.bot_user,
            "bot_id": workspace.bot_id,
            "is_enterprise_install": False,
        }

    def post_message(self, call: PostMessage) -> Json:
        self._room(call.channel, call.thread_ts)
        text = call.visible_text(POST_TEXT_CHARS)
        shown = self._add(call.channel, "bot", self._workspace.bot_user, call.thread_ts)
        shown.metadata = call.metadata.model_dump() if call.metadata is not None else None
        self.show(shown, text)
        self._echo_event(bot_event(shown, self._rooms[call.channel].kind, self._workspace))
        return {"channel": call.channel, "ts": shown.ts, "message": self._described(shown, metadata=True)}

    def update(self, call: Update) -> Json:
        shown = self._own(call.channel, call.ts, "cant_update_message")
        stream = self._stream(call.channel, call.ts)
        if stream is not None and stream.open:
            raise SlackError("streaming_state_conflict")
        text = call.visible_text(UPDATE_TEXT_CHARS)
        if call.metadata is not None:
            shown.metadata = call.metadata.model_dump()
        self.show(shown, text)
        self._echo_event(bot_event(shown, self._rooms[call.channel].kind, self._workspace, edited=True))
        return {"channel": call.channel, "ts": shown.ts, "text": shown.text}

    def delete(self, call: Message) -> Json:
        shown = self._own(call.channel, call.ts, "cant_delete_message")
        del self._rooms[call.channel].messages[call.ts]
        shown.deleted = True
        shown.streaming = False
        self.changed(shown)
        return {"channel": call.channel, "ts": call.ts}

    def start_stream(self, call: StartStream) -> Json:
        if not call.thread_ts:
            raise SlackError("thread_ts_required")
        room = self._room(call.channel, call.thread_ts)
        if room.kind != "im":
            if not call.recipient_user_id:
                raise SlackError("missing_recipient_user_id")
            if not call.recipient_team_id:
                raise SlackError("missing_recipient_team_id")
        stream = Stream(opened_at=self.clock())
        text = stream.take(call.markdown_text, call.chunks)
        shown = self._add(call.channel, "bot", self._workspace.bot_user, call.thread_ts)
        shown.streaming = True
        self._streams[call.channel, shown.ts] = stream
        self.show(shown, text)
        return {"channel": call.channel, "ts": shown.ts}

    def append_stream(self, call: WriteStream) -> Json:
        if call.markdown_text is None and call.chunks is None:
            raise SlackError("no_text")
        shown, text = self._written(call)
        self.show(shown, shown.text + text)
        return {"channel": call.channel, "ts": call.ts}

    def stop_stream(self, call: WriteStream) -> Json:
        shown, text = self._written(call)
        self._streams[call.channel, call.ts].open = False
        shown.streaming = False
        if call.metadata is not None:
            shown.metadata = call.metadata.model_dump()
        self.show(shown, shown.text + text)
        return {"channel": call.channel, "ts": call.ts, "message": self._described(shown, metadata=True)}

    def replies(self, call: Page) -> Json:
        self._room(call.channel, None)
        if call.ts is None:
            raise SlackError("invalid_arguments")
        messages = self.thread(call.channel, call.ts)
        if not messages:
            raise SlackError("thread_not_found", fault=False)
        return self._page(call, messages, root=call.ts)

    def history(self, call: Page) -> Json:
        self._room(call.channel, None)
        return self._page(call, self.thread(call.channel, None)[::-1], root=None)

    def add_reaction(self, call: Reaction) -> Json:
        shown = self._visible(call.channel, call.timestamp)
        if call.name in shown.reactions:
            raise SlackError("already_reacted", fault=False)
        shown.reactions.append(call.name)
        self.changed(shown)
        return {}

    def remove_reaction(self, call: Reaction) -> Json:
        shown = self._visible(call.channel, call.timestamp)
        if call.name not in shown.reactions:
            raise SlackError("no_reaction", fault=False)
        shown.reactions.remove(call.name)
        self.changed(shown)
        return {}

    def set_thread_status(self, call: ThreadStatus) -> Json:
        self._room(call.channel_id, call.thread_ts)
        self.statuses[call.channel_id, call.thread_ts].append(call.status)
        return {}

    def set_session_status(self, call: SessionStatus) -> Json:
        self._room(call.channel_id, call.thread_ts)
        self.statuses[call.channel_id, call.thread_ts or ""].append(call.status)
        return {}

    # The workspace.

    def _room(self, channel: str, thread_ts: str | None) -> Room:
        room = self._rooms.get(channel)
        if room is None:
            raise SlackError("channel_not_found", fault=False)
        if thread_ts:
            root = room.messages.get(thread_ts)
            if root is None:
                raise SlackError("thread_not_found", fault=False)
            if root.thread is not None:
                self.complain(
                    f"{channel}/{thread_ts} is a reply: thread_ts must name the thread's first message"
                )
        return room

    def _visible(self, channel: str, ts: str) -> Shown:
        shown = self._room(channel, None).messages.get(ts)
        if shown is None:
            raise SlackError("message_not_found", fault=False)
        return shown

    def _own(self, channel: str, ts: str, refusal: str) -> Shown:
        shown = self._visible(channel, ts)
        if shown.author != "bot":
            raise SlackError(refusal)
        return shown

    def _stream(self, channel: str, ts: str) -> Stream | None:
        self._expire_streams()
        return self._streams.get((channel, ts))

    def _written(self, call: WriteStream) -> tuple[Shown, str]:
        """The streamed message that a call names, and the text that the call adds to it."""
        shown = self._room(call.channel, None).messages.get(call.ts)
        if shown is None:
            # A stream that was found and removed may still be written to by a client that was late.
            raise SlackError("message_not_found", fault=(call.channel, call.ts) not in self._streams)
        if shown.author != "bot":
            raise SlackError("message_not_owned_by_app")
        stream = self._stream(call.channel, call.ts)
        if stream is None:
            raise SlackError("message_not_in_streaming_state")
        return shown, stream.take(call.markdown_text, call.chunks)

    def _expire_streams(self) -> None:
        now = self.clock()
        for (channel, ts), stream in self._streams.items():
            shown = self._rooms[channel].messages.get(ts)
            if shown is None:
                stream.open = False
            elif stream.ends_by(now):
                shown.streaming = False
                self.changed(shown)

    def _add(self, channel: str, author: Literal["person", "bot"], user: str, thread: str | None) -> Shown:
        room = self._rooms[channel]
        room.last_ts = max(room.last_ts + 1, int(self.clock() * 1_000_000))
        ts = f"{room.last_ts // 1_000_000}.{room.last_ts % 1_000_000:06d}"
        shown = Shown(ts, channel, author, user, self.clock(), thread=thread or None)
        room.messages[ts] = shown
        return shown

    def _described(self, shown: Shown, *, metadata: bool) -> Json:
        """A message as the API returns it."""
        described: Json = {"type": "message", "user": shown.user, "ts": shown.ts, "text": shown.text}
        if shown.author == "bot":
            described |= {"bot_id": self._workspace.bot_id, "app_id": self._workspace.app_id}
        if shown.thread:
            described["thread_ts"] = shown.thread
        elif any(other.thread == shown.ts for other in self._rooms[shown.chat].messages.values()):
            described["thread_ts"] = shown.ts
        if metadata and shown.metadata is not None:
            described["metadata"] = dict(shown.metadata)
        return described

    def _page(self, call: Page, messages: list[Shown], root: str | None) -> Json:
        wanted = [
            shown
            for shown in messages
            if shown.ts == root
            or call.oldest < shown.ts < call.latest
            or (call.inclusive and shown.ts in (call.oldest, call.latest))
        ]
        start = int(call.cursor or 0)
        page = wanted[start : start + call.limit]
        more = start + call.limit < len(wanted)
        return {
            "messages": [self._described(shown, metadata=call.include_all_metadata) for shown in page],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + call.limit) if more else ""},
        }

    def _letter(self, event: Json) -> Letter:
        event_id = f"Ev{self._chance.getrandbits(48):012X}"
        return Letter(
            self._webhook_url, str(event["type"]), event_id, sealed(self._workspace, event, event_id)
        )

    def _echo_event(self, event: Json) -> None:
        if self._echo and self._webhook_url:
            self._postman.deliver_later(self._letter(event))


A = TypeVar("A", bound=Arguments)
Served = Callable[[SlackStandin, Json], Json]


def _method(model: type[A], perform: Callable[[SlackStandin, A], Json]) -> Served:
    return lambda slack, raw: perform(slack, parsed(model, raw))


_METHODS: dict[str, Served] = {
    "auth.test": _method(NoArguments, SlackStandin.auth_test),
    "chat.postMessage": _method(PostMessage, SlackStandin.post_message),
    "chat.update": _method(Update, SlackStandin.update),
    "chat.delete": _method(Message, SlackStandin.delete),
    "chat.startStream": _method(StartStream, SlackStandin.start_stream),
    "chat.appendStream": _method(WriteStream, SlackStandin.append_stream),
    "chat.stopStream": _method(WriteStream, SlackStandin.stop_stream),
    "conversations.replies": _method(Page, SlackStandin.replies),
    "conversations.history": _method(Page, SlackStandin.history),
    "reactions.add": _method(Reaction, SlackStandin.add_reaction),
    "reactions.remove": _method(Reaction, SlackStandin.remove_reaction),
    "assistant.threads.setStatus": _method(ThreadStatus, SlackStandin.set_thread_status),
    "agents.sessions.setStatus": _method(SessionStatus, SlackStandin.set_session_status),
}


async def _raw_arguments(request: web.Request) -> Json:
    """A call's arguments, from the query, a form or a JSON body."""
    raw: Json = dict(request.query)
    body = await request.read()
    if request.content_type == "application/json":
        decoded = orjson.loads(body) if body else {}
        raw |= decoded if isinstance(decoded, dict) else {}
    elif body:
        raw |= await request.post()
    return raw


def _ok(answer: Json) -> web.Response:
    return web.Response(body=orjson.dumps({"ok": True, **answer}), content_type="application/json")
