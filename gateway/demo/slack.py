"""A stand-in for one Slack workspace: the Web API methods that a bot uses, and people who talk to it.

It keeps the rules of ``slack_rules`` and the rate limits, and delivers events as Slack does (``slack_events``).
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal

import orjson
from aiohttp import web
from typing_extensions import override

from gateway.demo.faults import Fault
from gateway.demo.people import Delivery, Letter, Postman, Route, Said, straight
from gateway.demo.ratelimit import Bucket, Quota
from gateway.demo.slack_api import METHODS, Room, SlackApi
from gateway.demo.slack_blocks import Json
from gateway.demo.slack_errors import SlackError
from gateway.demo.slack_events import (
    TOMBSTONE,
    Workspace,
    bot_event,
    click,
    deletion_event,
    edit_event,
    home_opened_event,
    mention_event,
    message_event,
    sealed,
    session_stopped_event,
    slash_command,
)
from gateway.demo.slack_files import StoredFile
from gateway.demo.slack_oauth import OAuthDesk
from gateway.demo.slack_rules import TIERS
from gateway.demo.slack_socket import SOCKET, SocketHub
from gateway.demo.standin import LATENCY, Clock, Shown

WRITES = frozenset({"chat.appendStream", "chat.stopStream", "chat.update", "chat.delete"})
RETRY_DELAYS = (0.0, 60.0, 300.0)


class SlackStandin(SlackApi):
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
        route: Route = straight,
        app_token: str = "",
        client: tuple[str, str] | None = None,
    ) -> None:
        """``client``: id and secret of an app that several workspaces install, which ``oauth`` keeps."""
        workspace = Workspace(team, app_id, bot_user, bot_id, signing_secret, clock)
        super().__init__(workspace, port=port, latency=latency)
        self._bot_token = bot_token
        self._echo = echo
        self._webhook_url = ""
        self._chance = random.Random(seed)
        self._app_token = app_token
        client_id, client_secret = client or ("", "")
        self.oauth = OAuthDesk(clock, self.complain, client_id=client_id, client_secret=client_secret)
        self._several = client is not None
        self.socket = SocketHub(self.complain, self._chance)
        self._postman = Postman(
            retry_delays=retry_delays,
            redeliver=redeliver,
            redeliver_within=redeliver_within,
            complain=self.complain,
            chance=self._chance,
            route=route,
            carry=self._by_socket,
        )
        self._quotas: dict[str, Quota] = defaultdict(lambda: Quota(Bucket(5, 1)))
        for method, a_minute in TIERS.items():
            self._quotas[method] = Quota(Bucket(a_minute, a_minute / 60))

    @property
    def api_base_url(self) -> str:
        return f"{self.url}/api/"

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._postman.close()
        await self.socket.close()
        await super().__aexit__(kind, error, trace)

    def add_channel(
        self, channel: str, kind: Literal["channel", "im"] = "channel", *, team: str = ""
    ) -> None:
        self._rooms[channel] = Room(kind, team=team)

    @property
    def rooms(self) -> Mapping[str, Room]:
        return self._rooms

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
        files: Sequence[StoredFile] = (),
    ) -> Said:
        """Let a person write a message; returns when the first deliveries have been answered.

        A mention in a channel is delivered twice, as app_mention and as message, in either order. ``user_team``:
        the person's own workspace, if it is another. ``files`` are of the ``archive``.
        """
        self._webhook_url = webhook_url
        room = self._rooms[channel]
        mentioned = mention and room.kind == "channel"
        written = f"<@{self._workspace.bot_user}> {text}" if mentioned else text
        shown = self._add(channel, "person", user, thread_ts)
        self.show(shown, text)
        thread = thread_ts or (shown.ts if room.kind == "channel" else None)
        said = Said(shown.ts, channel, thread, user, text, shown.at)
        team = user_team or room.team or self._workspace.team
        events = [message_event(shown, room.kind, written, team)]
        if mentioned:
            events.append(mention_event(shown, written, team))
        if files:
            self.archive.of_messages[channel, shown.ts] = list(files)
            for event in events:
                event["files"] = [file.described(self.url, in_event=True) for file in files]
            events[0] |= {"subtype": "file_share", "upload": False}
        self._chance.shuffle(events)
        await self._postman.deliver_all([self._letter(event) for event in events], said)
        return said

    async def take_back(self, webhook_url: str, said: Said) -> Delivery:
        """Let a person delete a message; returns how the first delivery was answered."""
        self._webhook_url = webhook_url
        room = self._rooms[said.chat]
        shown = room.messages[said.ts]
        answered = any(other.thread == said.ts for other in room.messages.values())
        event = deletion_event(shown, room.kind, self._workspace, answered=answered)
        shown.deleted = True
        if answered:
            self.show(shown, TOMBSTONE)
        else:
            del room.messages[said.ts]
            self.changed(shown)
        return await self._postman.deliver(self._letter(event))

    async def edit(self, webhook_url: str, said: Said, text: str) -> Delivery:
        """Let a person change a message; returns how the first delivery was answered."""
        self._webhook_url = webhook_url
        room = self._rooms[said.chat]
        shown = room.messages[said.ts]
        event = edit_event(shown, room.kind, shown.text, text, self._workspace)
        self.show(shown, text)
        return await self._postman.deliver(self._letter(event))

    async def open_home(
        self, webhook_url: str, *, channel: str, user: str, tab: str = "messages"
    ) -> Delivery:
        """Let a person open the app; returns how the first delivery was answered."""
        self._webhook_url = webhook_url
        return await self._postman.deliver(self._letter(home_opened_event(channel, user, tab, self.clock)))

    async def tell(self, webhook_url: str, event: Json) -> Delivery:
        """Deliver an event of whatever kind; returns how the first delivery was answered."""
        self._webhook_url = webhook_url
        return await self._postman.deliver(self._letter(event))

    async def press(
        self, webhook_url: str, shown: Shown, label: str, *, user: str, user_team: str = ""
    ) -> tuple[int, str, bytes]:
        """Let a person press a button: status, admission and body of its answer. It is sent only once. Raises
        LookupError where there is no such button.
        """
        if label not in shown.buttons:
            raise LookupError(f"{shown.chat}/{shown.ts} has no button {label!r}")
        headers, body = click(
            self._workspace, shown, label, user=user, user_team=user_team or self._workspace.team
        )
        return await self._postman.post(webhook_url, headers, body)

    async def press_stop(self, webhook_url: str, *, channel: str, thread_ts: str, user: str) -> Delivery:
        """Let a person press a thread's stop button; returns how the first delivery was answered.

        It ends the streams there; the session stays as it is, until the bot changes it. Raises LookupError where
        there is no button, as it is shown while the session is "processing" only.
        """
        if self.sessions.get((channel, thread_ts)) != "processing":
            raise LookupError(f"{channel}/{thread_ts} has no stop button")
        self._webhook_url = webhook_url
        ended = [shown for shown in self.open_streams() if (shown.chat, shown.thread) == (channel, thread_ts)]
        for shown in ended:
            self._streams[channel, shown.ts].stop()
            shown.streaming = False
            self.changed(shown)
        event = session_stopped_event(channel, thread_ts, user, [shown.ts for shown in ended], self.clock)
        return await self._postman.deliver(self._letter(event))

    async def command(
        self, webhook_url: str, command: str, *, channel: str, user: str, text: str = ""
    ) -> tuple[int, str, bytes]:
        """Let a person send a slash command: status, admission and body of its answer. It is sent only once."""
        trigger_id = f"{self._chance.getrandbits(40)}.{self._chance.getrandbits(40)}"
        headers, body = slash_command(
            self._workspace, command, text, channel=channel, user=user, trigger_id=trigger_id
        )
        return await self._postman.post(webhook_url, headers, body)

    async def settle(self) -> None:
        """Wait until every retry and duplicate has been delivered."""
        await self._postman.settle()

    @override
    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/apps.connections.open", self._open_socket),
            web.post("/api/oauth.v2.access", self._oauth_access),
            web.get("/oauth/v2/authorize", self.oauth.authorize),
            web.post("/api/{method}", self._serve),
            web.get("/api/{method}", self._serve),
            web.get("/socket/{ticket}", self.socket.serve),
            web.get("/files-pri/{id}/{name:.+}", self._serve_file),
            web.post("/upload/{id}", self._take_upload),
        ]

    async def _oauth_access(self, request: web.Request) -> web.StreamResponse:
        method = "oauth.v2.access"
        raw = await _raw_arguments(request)

        def effect() -> web.StreamResponse:
            try:
                return _ok(self.oauth.access(raw), ())
            except SlackError as error:
                return self._refused(method, {}, error)

        return await self.perform(method, request, effect)

    def _is_token(self, token: str) -> bool:
        try:
            self._check_token(token, "files-pri", {})
        except SlackError:
            return False
        return True

    def _check_token(self, token: object, method: str, raw: Json) -> Json:
        """What ``auth.test`` and its like say besides, of this token. Raises SlackError."""
        if not self._several:
            if token != self._bot_token:
                raise SlackError("invalid_auth", fault=False)
            return {}
        place = self.oauth.place_of(token)
        teams = self.oauth.teams_of(token)
        room = self._rooms.get(str(raw.get("channel") or raw.get("channel_id") or ""))
        if room is not None and room.team not in teams:
            self.complain(f"{method} in a channel of {room.team} with a token of {place.id}")
            raise SlackError("channel_not_found")
        if method == "auth.test":
            return {"team_id": place.id, "team": f"Workspace {place.id}", "is_enterprise_install": place.org}
        return {"teams": [{"id": team} for team in sorted(teams)]} if method == "auth.teams.list" else {}

    async def _take_upload(self, request: web.Request) -> web.StreamResponse:
        data = await request.read()
        return await self.perform(
            "upload", request, lambda: self.archive.upload(request.match_info["id"], data)
        )

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        authorised = "files:read" in self.scopes and self._is_token(token)

        def effect() -> web.StreamResponse:
            return self.archive.serve(request.match_info["id"], authorised=authorised)

        return await self.perform("files-pri", request, effect)

    async def _by_socket(
        self, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, str, bytes] | None:
        return await self.socket.post(headers, body) if url == SOCKET else None

    async def _open_socket(self, request: web.Request) -> web.StreamResponse:
        method = "apps.connections.open"
        token = self._token(request, {})
        if not self._app_token or token != self._app_token:
            return self._refused(method, {}, SlackError("invalid_auth", fault=False))
        url = f"{self.url.replace('http', 'ws', 1)}/socket/{self.socket.ticket()}"
        return await self.perform(method, request, lambda: _ok({"url": url}, ()))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        raw = await _raw_arguments(request)
        known = METHODS.get(method)
        if known is None:
            return self._refused(method, raw, SlackError("unknown_method"))
        try:
            told = self._check_token(self._token(request, raw), method, raw)
        except SlackError as error:
            return self._refused(method, raw, error)

        def effect() -> web.StreamResponse:
            too_many = self._over_limit(method, raw)
            if too_many is not None:
                return too_many
            try:
                return _ok({**known(self, raw), **told}, self.scopes)
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
        self.refuse(f"{name}: 429")
        return web.json_response(
            {"ok": False, "error": "ratelimited"},
            status=429,
            headers={"Retry-After": str(refusal.retry_after)},
        )

    def _refused(self, method: str, raw: Json, error: SlackError) -> web.Response:
        target = raw.get("ts", raw.get("thread_ts", ""))
        sentence = f"{method} on {raw.get('channel', '?')}/{target}: {error.code}"
        self.refuse(sentence)
        if error.fault:
            self.complain(sentence)
        return web.json_response({"ok": False, "error": error.code})

    def _letter(self, event: Json) -> Letter:
        event_id = f"Ev{self._chance.getrandbits(48):012X}"
        workspace = self._workspace
        room = self._rooms.get(str(event.get("channel")))
        if room is not None and room.team:
            organisation = self.oauth.organisation_of(room.team)
            workspace = replace(workspace, team=room.team, organisation=organisation)
        return Letter(self._webhook_url, str(event["type"]), event_id, sealed(workspace, event, event_id))

    async def uninstall(
        self, webhook_url: str, place: str, *, event_type: str = "app_uninstalled"
    ) -> Delivery:
        """Let an admin remove the app from a workspace or an organisation."""
        self._webhook_url = webhook_url
        gone = self.oauth.places.pop(place)
        event: Json = {"type": event_type}
        if event_type == "tokens_revoked":
            event["tokens"] = {"oauth": [], "bot": [self._workspace.bot_user]}
        workspace = replace(self._workspace, team=gone.team, organisation=gone.enterprise if gone.org else "")
        event_id = f"Ev{self._chance.getrandbits(48):012X}"
        letter = Letter(webhook_url, event_type, event_id, sealed(workspace, event, event_id))
        return await self._postman.deliver(letter)

    @override
    def bot_wrote(self, shown: Shown, *, edited: bool) -> None:
        if self._echo and self._webhook_url:
            event = bot_event(shown, self._rooms[shown.chat].kind, self._workspace, edited=edited)
            self._postman.deliver_later(self._letter(event))


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


def _ok(answer: Json, scopes: Collection[str]) -> web.Response:
    return web.Response(
        body=orjson.dumps({"ok": True, **answer}),
        content_type="application/json",
        headers={"x-oauth-scopes": ",".join(sorted(scopes))},
    )
