"""A stand-in for Lark (Feishu): tokens, messages, reactions and CardKit for one app in one tenant, and people.

It keeps the rules of ``lark_rules`` and ``lark_cards`` and the rate limits. Methods are named as in lark-oapi:
``im.v1.message.reply``, ``cardkit.v1.card_element.content`` …
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Literal

import orjson
from aiohttp import web
from pydantic import ValidationError
from typing_extensions import override

from gateway.demo import people
from gateway.demo.faults import Fault
from gateway.demo.lark_calls import Body
from gateway.demo.lark_events import Tenant, message_event, recall_event
from gateway.demo.lark_files import Archive, LarkFiles, Resource
from gateway.demo.lark_messages import OVER_LIMIT, Chat, ChatType, TooManyError
from gateway.demo.lark_routes import Route, find_route
from gateway.demo.lark_rules import (
    Json,
    LarkError,
)
from gateway.demo.lark_socket import LONG_CONNECTION, LongConnections
from gateway.demo.lark_store import StoreDesk
from gateway.demo.people import Delivery, Letter, Postman, Said
from gateway.demo.ratelimit import Bucket, Quota, TooMany
from gateway.demo.standin import LATENCY, Clock, Shown

RETRY_DELAYS = (15.0, 300.0, 3600.0, 21600.0)


class LarkStandin(LarkFiles):
    """``duplicate_sends`` counts sends that were repeated under the same uuid and did nothing."""

    def __init__(
        self,
        *,
        app_id: str,
        app_secret: str,
        encrypt_key: str = "",
        verification_token: str = "",
        clock: Clock = time.time,
        tenant: str = "demo-tenant",
        bot_open_id: str = "ou_bot",
        redeliver: bool = True,
        redeliver_within: tuple[float, float] = (0.05, 1.5),
        retry_delays: Sequence[float] = RETRY_DELAYS,
        seed: int = 1,
        port: int = 0,
        latency: float = LATENCY,
        route: people.Route = people.straight,
        store_app: bool = False,
    ) -> None:
        whole = Tenant(tenant, app_id, bot_open_id, encrypt_key, verification_token, clock)
        super().__init__(whole, app_secret, random.Random(seed), port=port, latency=latency)
        self.store = StoreDesk(app_id, app_secret, clock, self.complain) if store_app else None
        self.long_connections = LongConnections(
            lambda *given: given == (app_id, app_secret), self.complain, self._chance
        )
        self.archive = Archive()
        self._postman = Postman(
            retry_delays=retry_delays,
            redeliver=redeliver,
            redeliver_within=redeliver_within,
            complain=self.complain,
            chance=self._chance,
            route=route,
            carry=self._by_long_connection,
        )
        self._quotas: dict[str, Quota] = defaultdict(lambda: Quota(Bucket(50, 50), Bucket(1000, 1000 / 60)))

    @property
    def api_base_url(self) -> str:
        return self.url

    @override
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._postman.close()
        await self.long_connections.close()
        await super().__aexit__(kind, error, trace)

    def add_chat(self, chat: str, chat_type: ChatType = "p2p") -> None:
        """Make a chat known to the bot; ``say`` does it too."""
        self._chats.setdefault(chat, Chat(chat_type))

    def remove_chat(self, chat: str) -> None:
        """Dissolve a chat: sends to it are refused for good."""
        del self._chats[chat]

    def chat(self, chat: str) -> list[Shown]:
        """All messages of a chat, in the order in which they appeared."""
        self._expire_cards()
        return [sent.shown for sent in self._chats[chat].messages.values() if not sent.shown.deleted]

    def open_cards(self) -> list[Shown]:
        """The messages that still show that they are being written."""
        self._expire_cards()
        return [card.message for card in self._cards.values() if card.streaming and card.message is not None]

    def expire_tokens(self) -> None:
        """Make every token given out so far invalid."""
        self._tokens.clear()

    async def say(
        self,
        webhook_url: str,
        *,
        chat: str,
        user: str,
        text: str,
        chat_type: ChatType = "p2p",
        mention: bool = True,
        thread_id: str | None = None,
        reply_to: str | None = None,
        message_type: Literal["text", "post"] = "text",
        user_tenant: str | None = None,
        tenant: str = "",
    ) -> Said:
        """Let a person write a message; returns when the first delivery has been answered.

        ``mention`` matters in groups only. ``user_tenant``: the person's own tenant, if it is another. ``tenant``:
        in which of a store app's.
        """
        if self.store is not None and tenant:
            self.store.chats[chat] = tenant
        self.add_chat(chat, chat_type)
        sent = self._add(chat, "person", user, message_type)
        shown = sent.shown
        shown.thread, shown.reply_to = thread_id, reply_to
        self.show(shown, text)
        event = message_event(
            shown,
            self._tenant,
            chat_type=chat_type,
            message_type=message_type,
            mention=mention and chat_type == "group",
            sender_tenant=user_tenant or tenant or self._tenant.key,
        )
        said = Said(shown.ts, chat, thread_id, user, text, shown.at)
        await self._postman.deliver(self._letter(webhook_url, "im.message.receive_v1", event), said)
        return said

    async def send(
        self, webhook_url: str, *, chat: str, user: str, file: Resource, chat_type: ChatType = "p2p"
    ) -> Said:
        """Let a person send a file or an image; returns when the first delivery has been answered."""
        self.add_chat(chat, chat_type)
        shown = self._add(chat, "person", user, file.kind).shown
        self.show(shown, file.name)
        event = self.file_event(shown.ts, file, chat_type=chat_type)
        return await self._tell(webhook_url, shown, event)

    async def say_with_pictures(
        self,
        webhook_url: str,
        *,
        chat: str,
        user: str,
        text: str,
        pictures: list[bytes],
        chat_type: ChatType = "p2p",
    ) -> Said:
        """Let a person write a post with pictures in it, in a group to the bot."""
        self.add_chat(chat, chat_type)
        shown = self._add(chat, "person", user, "post").shown
        self.show(shown, text)
        event = self.pictured_event(
            shown.ts, text, pictures, chat_type=chat_type, mention=chat_type == "group"
        )
        return await self._tell(webhook_url, shown, event)

    async def _tell(self, webhook_url: str, shown: Shown, event: Json) -> Said:
        said = Said(shown.ts, shown.chat, shown.thread, shown.user, shown.text, shown.at)
        await self._postman.deliver(self._letter(webhook_url, "im.message.receive_v1", event), said)
        return said

    @property
    def tenant(self) -> str:
        return self._tenant.key

    @property
    def whole_tenant(self) -> Tenant:
        return self._tenant

    def everything(self) -> list[Shown]:
        return [sent.shown for sent in self._messages.values()]

    def written_by(self, chat: str, user: str, message_type: str) -> Shown:
        """A person's message, of which nobody was told yet."""
        self.add_chat(chat)
        return self._add(chat, "person", user, message_type).shown

    def elements_of(self, message: str) -> list[Json]:
        """What stands in a card; nothing in any other message."""
        sent = self._messages[message]
        entity = next((one for one in self._cards.values() if one.message is sent.shown), None)
        card = entity.card if entity is not None else sent.card
        return [] if card is None else card.body.elements

    async def deliver(self, webhook_url: str, event_type: str, event: Json) -> Delivery:
        """Send an event; returns how the first delivery was answered."""
        return await self._postman.deliver(self._letter(webhook_url, event_type, event))

    async def post(self, webhook_url: str, payload: Json) -> tuple[int, str]:
        """Send a whole payload once, encrypted and signed: its status and admission."""
        headers, body = self._tenant.sealed(payload)
        status, admission, _ = await self._postman.post(webhook_url, headers, body)
        return status, admission

    async def call_back(self, webhook_url: str, event_type: str, event: Json) -> tuple[int, bytes]:
        """Send a callback, once: its status and body."""
        headers, body = self._letter(webhook_url, event_type, event).sealed(0, "")
        status, _, answer = await self._postman.post(webhook_url, headers, body)
        return status, answer

    async def recall(self, webhook_url: str, said: Said) -> Delivery:
        """Let a person take a message back; returns how the first delivery was answered."""
        shown = self._messages[said.ts].shown
        shown.deleted = True
        self.changed(shown)
        event = recall_event(shown, self.clock)
        return await self._postman.deliver(self._letter(webhook_url, "im.message.recalled_v1", event))

    async def challenge(self, webhook_url: str, *, encrypted: bool) -> tuple[int, bytes]:
        """Ask whether the URL is the bot's: status and body of its answer. Complains if it is not right."""
        question = f"challenge-{self._chance.getrandbits(32):08x}"
        payload: Json = {
            "challenge": question,
            "token": self._tenant.verification_token,
            "type": "url_verification",
        }
        headers, body = self._tenant.sealed(payload, encrypted=encrypted)
        # Documented as not signed.
        headers = {name: value for name, value in headers.items() if not name.startswith("X-Lark")}
        status, _, answer = await self._postman.post(webhook_url, headers, body)
        try:
            right = status == 200 and orjson.loads(answer) == {"challenge": question}  # noqa: PLR2004 -- HTTP
        except orjson.JSONDecodeError:
            right = False
        if not right:
            self.complain(f"url_verification was answered {status} {answer[:80]!r}")
        return status, answer

    async def settle(self) -> None:
        """Wait until every retry and duplicate has been delivered."""
        await self._postman.settle()

    @override
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/open-apis/im/v1/messages/{message}/resources/{key}", self._serve_resource),
            web.post("/open-apis/im/v1/{kind:images|files}", self._take_upload),
            web.route("*", "/open-apis/{path:.*}", self._serve),
            web.post("/callback/ws/endpoint", self.long_connections.endpoint),
            web.get("/long-connection", self.long_connections.serve),
        ]

    async def _take_upload(self, request: web.Request) -> web.StreamResponse:
        kind: Literal["image", "file"] = "image" if request.match_info["kind"] == "images" else "file"
        method = f"im.v1.{kind}.create"
        form = await request.post()

        def effect() -> web.StreamResponse:
            try:
                self._check_token(request)
                too_many = self._quotas[method].ask(self.clock())
                if too_many is not None:
                    return self._over_limit(method, too_many)
                return _ok(self.take_upload(kind, form), top_level=False)
            except LarkError as error:
                return self._refused(method, "-", error)

        return await self.perform(method, request, effect)

    async def _serve_resource(self, request: web.Request) -> web.StreamResponse:
        method = "im.v1.message_resource.get"
        message, key = request.match_info["message"], request.match_info["key"]

        def effect() -> web.StreamResponse:
            try:
                self._check_token(request)
                too_many = self._quotas[method].ask(self.clock())
                if too_many is not None:
                    return self._over_limit(method, too_many)
                return self.resource(message, key, request.query.get("type", ""))
            except LarkError as error:
                return self._refused(method, f"{message}/{key}", error)

        return await self.perform(method, request, effect)

    async def _by_long_connection(
        self, url: str, _: dict[str, str], body: bytes
    ) -> tuple[int, str, bytes] | None:
        return await self.long_connections.post(orjson.loads(body)) if url == LONG_CONNECTION else None

    async def send_ticket(self, webhook_url: str) -> Delivery:
        """Tell a store app its next ticket."""
        assert self.store is not None
        payload = self.store.new_ticket() | {"token": self._tenant.verification_token}
        letter = Letter(webhook_url, "app_ticket", str(payload["uuid"]), self._tenant.attempts(payload))
        return await self._postman.deliver(letter)

    async def _serve_store(self, request: web.Request, store: StoreDesk) -> web.StreamResponse | None:
        """None: it is a method as of any app."""
        path = request.match_info["path"]
        raw = await request.read()
        if not path.startswith("auth/"):
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            message = re.search(r"messages/(om_[^/?]+)", path)
            sent = self._messages.get(message[1]) if message else None
            asked = orjson.loads(raw).get("receive_id") if raw and sent is None else None
            store.check(token, sent.shown.chat if sent else asked)
            return None

        def effect() -> web.StreamResponse:
            try:
                answer = store.answer(path, orjson.loads(raw), self._tokens)
            except LarkError as error:
                return self._refused(path, "", error)
            return _error(404, "no such method") if answer is None else _ok(answer, top_level=True)

        return await self.perform(path.replace("/", "."), request, effect)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if self.store is not None and (answer := await self._serve_store(request, self.store)) is not None:
            return answer
        found = find_route(request.method, request.match_info["path"])
        if found is None:
            sentence = f"{request.method} {request.path}: no such method"
            self.complain(sentence)
            return web.Response(status=404, text="404 page not found")
        route, path = found
        raw = await request.read()

        def effect() -> web.StreamResponse:
            target = "/".join(path.values())
            try:
                if not route.open:
                    self._check_token(request)
                too_many = self._quotas[route.method].ask(self.clock())
                if too_many is not None:
                    return self._over_limit(route.method, too_many)
                body = self._body(route, raw, request.query)
                return _ok(route.perform(self, body, path), top_level=route.top_level)
            except LarkError as error:
                return self._refused(route.method, target, error)
            except TooManyError as error:
                return self._over_limit(f"{route.method} {target}", error.too_many, error.code)

        written = path.get("card_id") or (path.get("message_id") if request.method != "POST" else None)
        guard = self.one_at_a_time(route.method, request, written) if written else contextlib.nullcontext()
        with guard:
            return await self.perform(route.method, request, effect)

    @override
    def answer_fault(self, fault: Fault) -> web.Response:
        if fault.error is not None and fault.retry_after is not None:
            return _rate_limited(fault.retry_after, int(fault.error))
        if fault.error is not None:
            return _error(int(fault.error), "planned fault")
        if fault.status == 429:  # noqa: PLR2004 -- HTTP
            return _rate_limited(fault.retry_after or 1)
        return super().answer_fault(fault)

    def _body(self, route: Route, raw: bytes, query: Mapping[str, str]) -> Body:
        try:
            return route.body.model_validate(dict(query) | (orjson.loads(raw) if raw else {}))
        except (orjson.JSONDecodeError, ValidationError, TypeError) as error:
            code = 230001 if route.method.startswith("im.") else 10002
            raise LarkError(code, "invalid parameters") from error

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            raise LarkError(99991661, "missing access token")
        if scheme != "Bearer":
            raise LarkError(99991671, "malformed access token")
        if self._tokens.get(token, 0.0) <= self.clock():
            raise LarkError(99991663, "invalid access token", fault=False)

    def _over_limit(self, name: str, refusal: TooMany, code: int = OVER_LIMIT) -> web.Response:
        if refusal.storm:
            self.complain(f"{name} was called again and again while it was rate limited")
        elif refusal.early:
            self.complain(
                f"{name} was called {refusal.retry_after} s before its x-ogw-ratelimit-reset was over"
            )
        self.refuse(f"{name}: 429")
        return _rate_limited(refusal.retry_after, code)

    def _refused(self, method: str, target: str, error: LarkError) -> web.Response:
        sentence = f"{method} on {target or '-'}: {error.code} {error.message}"
        self.refuse(sentence)
        if error.fault:
            self.complain(sentence)
        return _error(error.code, error.message)

    def _expire_cards(self) -> None:
        for card in self._cards.values():
            card.expire(self.clock())
            if card.message is not None and not card.streaming:
                card.message.streaming = False

    def _home_of(self, event: Json) -> Tenant:
        """In which tenant this is."""
        message = event.get("message")
        chat = message.get("chat_id") if isinstance(message, dict) else event.get("chat_id")
        tenant = None if self.store is None else self.store.chats.get(str(chat))
        return replace(self._tenant, key=tenant) if tenant else self._tenant

    def _letter(self, url: str, event_type: str, event: Json) -> Letter:
        event_id = f"{self._chance.getrandbits(128):032x}"
        payload = self._home_of(event).envelope(event_type, event_id, event)
        if url == LONG_CONNECTION:  # neither encrypted nor signed, and without the token
            untold = replace(self._tenant, verification_token="")
            plain = orjson.dumps(untold.envelope(event_type, event_id, event))
            return Letter(url, event_type, event_id, lambda _attempt, _reason: ({}, plain))
        return Letter(url, event_type, event_id, self._tenant.attempts(payload))


def _ok(data: Json, *, top_level: bool) -> web.Response:
    answer: Json = {"code": 0, "msg": "success", **(data if top_level else {"data": data})}
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def _error(code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message, "error": {"log_id": "demo"}}, status=400)


def _rate_limited(reset: int, code: int = OVER_LIMIT) -> web.Response:
    return web.json_response(
        {"code": code, "msg": "request trigger frequency limit"},
        status=429,
        headers={"x-ogw-ratelimit-limit": "50", "x-ogw-ratelimit-reset": str(reset)},
    )
